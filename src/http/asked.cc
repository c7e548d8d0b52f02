#include "http/asked.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/messages.h"

namespace juggler::http {
namespace {

struct Knob {
  std::string_view name;    // in a query, and in the message to the controller
  std::string_view header;  // in lower case; empty: none
};

constexpr std::array<Knob, 8> kKnobs{{
    {"model", "juggler-model"},
    {"device", "juggler-device"},
    {"min_accuracy", "juggler-min-accuracy"},
    {"deadline_ms", "juggler-deadline-ms"},
    {"max_energy_mj", "juggler-max-energy-mj"},
    {"priority", "juggler-priority"},
    {"top_k", "juggler-top-k"},
    {"allow_synthetic", "juggler-allow-synthetic"},
}};

// What is given as text: a number where it is whole, a boolean, else the text, which the reader of
// submissions takes for a number where one is wanted.
wire::HeaderValue typed(std::string_view name, const std::string& text) {
  if (name == "allow_synthetic" && (text == "true" || text == "false")) {
    return text == "true";
  }
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, whole);
  const bool text_only = name == "model" || name == "device";
  const bool number = !text_only && failed == std::errc{} && at == end && !text.empty();
  return number ? wire::HeaderValue(whole) : wire::HeaderValue(text);
}

std::string known_names() {
  std::string names = "id";
  for (const Knob& knob : kKnobs) {
    names += fmt::format(", {}", knob.name);
  }
  return names;
}

}  // namespace

bool valid_id(std::string_view id) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._~:-").find(c) != std::string_view::npos;
  };
  return !id.empty() && id.size() <= kIdMax && std::all_of(id.begin(), id.end(), fits);
}

std::int64_t priority_of_infer(std::int64_t priority) {
  return priority >= 1 && priority <= kPriorityMax ? kPriorityMax + 1 - priority : 0;
}

void require(Asked& asked, std::string_view name, wire::HeaderValue value) {
  if (name == "priority") {
    // Out of range stays out of range, so that it is refused and not cut off.
    const auto* whole = std::get_if<std::int64_t>(&value);
    asked.task.priority =
        whole != nullptr && *whole >= 0 && *whole <= kPriorityMax ? static_cast<int>(*whole) : -1;
    return;
  }
  asked.task.headers[std::string(name)] = std::move(value);
}

void take_headers(const Fields& headers, bool infer, Asked& asked) {
  for (const Knob& knob : kKnobs) {
    const auto at = headers.find(knob.header);
    if (at == headers.end()) {
      continue;
    }
    wire::HeaderValue value = typed(knob.name, at->second);
    const auto* whole = std::get_if<std::int64_t>(&value);
    if (infer && knob.name == "priority" && whole != nullptr) {
      value = *whole < 0 ? *whole : priority_of_infer(*whole);
    }
    require(asked, knob.name, std::move(value));
  }
}

Result<Asked> checked(Asked asked) {
  if (!asked.id.empty() && !valid_id(asked.id)) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("'id' must be 1 to {} of the characters a-z A-Z 0-9 . _ ~ : -", kIdMax));
  }
  wire::Envelope like = asked.task;
  like.message_id = "-";  // without one it would be made from the whole body
  if (asked.picture) {
    like.content_type = "image/jpeg";  // either kind: nothing else depends on which
  }
  const wire::DecodedSubmission decoded = wire::decode_submission(like, false);
  if (!decoded.refusal.empty()) {
    std::string why = decoded.refusal;
    if (why.rfind("header '", 0) == 0) {
      why = why.substr(7);  // here it is one of several ways to say it
    }
    return fail(ErrorCode::InvalidArgument, why);
  }
  return asked;
}

Result<Asked> read_classify(const Request& request) {
  Asked asked;
  take_headers(request.headers, false, asked);
  for (const auto& [name, value] : request.query) {
    const auto knob = std::find_if(kKnobs.begin(), kKnobs.end(),
                                   [&name = name](const Knob& one) { return one.name == name; });
    if (name == "id") {
      asked.id = value.empty() ? std::string(" ") : value;  // an empty one is refused as such
    } else if (knob != kKnobs.end()) {
      require(asked, name, typed(name, value));
    } else {
      return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no requirement; there are: {}",
                                                          name.substr(0, kIdMax), known_names()));
    }
  }
  asked.task.body = request.body;
  return checked(std::move(asked));
}

}  // namespace juggler::http
