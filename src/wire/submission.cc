// Submissions: what any AMQP client sends. Everything in it is somebody else's word, so every field
// is checked, and the refusal says which one is wrong and what would be right.

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "wire/messages.h"
#include "wire/utf8.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

// A header's value with its type, so that 1, 1.0, "1" and true differ.
std::string text_of(const HeaderValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "b1" : "b0";
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return fmt::format("i{}", *whole);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return fmt::format("d{}", *real);
  }
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? "s" + *text : "?";
}

// FNV-1a over everything that makes two submissions equal, for those that come without an id.
std::uint64_t content_hash(const Envelope& envelope) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&hash](std::string_view bytes) {
    for (const char c : bytes) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash = (hash ^ 0xffU) * 0x100000001b3ULL;
  };
  mix(envelope.reply_to);
  mix(envelope.correlation_id);
  mix(envelope.content_type);
  mix(fmt::format("{}", envelope.priority.value_or(0)));
  for (const auto& [key, value] : envelope.headers) {
    mix(key);
    mix(text_of(value));
  }
  mix(envelope.body != nullptr ? std::string_view(*envelope.body) : std::string_view());
  return hash;
}

// A number written as text: some clients cannot send any other fraction (pika 1.2, for one).
std::optional<double> as_number(const HeaderValue& header) {
  const auto* text = std::get_if<std::string>(&header);
  if (text == nullptr || text->empty()) {
    return std::nullopt;
  }
  double value = 0.0;
  const char* end = text->data() + text->size();
  const auto [stop, failed] = std::from_chars(text->data(), end, value);
  return failed == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

// Reads headers; the first complaint sticks.
class HeaderReader {
 public:
  HeaderReader(const Headers& headers, std::string& refusal)
      : headers_(headers), refusal_(refusal) {}

  std::optional<double> number(const char* key, double min, double max, const char* unit) {
    const auto at = headers_.find(key);
    if (at == headers_.end()) {
      return std::nullopt;
    }
    double value = 0.0;
    if (const auto* whole = std::get_if<std::int64_t>(&at->second)) {
      value = static_cast<double>(*whole);
    } else if (const auto* real = std::get_if<double>(&at->second)) {
      value = *real;
    } else if (const auto text = as_number(at->second)) {
      value = *text;
    } else {
      complain(fmt::format("header '{}' must be a number ({})", key, unit));
      return std::nullopt;
    }
    if (!std::isfinite(value) || value < min || value > max) {
      complain(
          fmt::format("header '{}' is {}; it must be {} to {} ({})", key, value, min, max, unit));
      return std::nullopt;
    }
    return value;
  }

  std::optional<int> whole_number(const char* key, int min, int max, const char* unit) {
    const std::optional<double> value = number(key, min, max, unit);
    if (value.has_value() && *value != std::floor(*value)) {
      complain(fmt::format("header '{}' is {}; it must be a whole number ({})", key, *value, unit));
      return std::nullopt;
    }
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
  }

  std::optional<std::string> text(const char* key, std::size_t size_max) {
    const auto at = headers_.find(key);
    if (at == headers_.end()) {
      return std::nullopt;
    }
    const auto* value = std::get_if<std::string>(&at->second);
    if (value == nullptr || value->empty() || value->size() > size_max) {
      complain(fmt::format("header '{}' must be a string of 1 to {} bytes", key, size_max));
      return std::nullopt;
    }
    return *value;
  }

  bool flag(const char* key) {
    const auto at = headers_.find(key);
    if (at == headers_.end()) {
      return false;
    }
    const auto* value = std::get_if<bool>(&at->second);
    if (value == nullptr) {
      complain(fmt::format("header '{}' must be a boolean", key));
    }
    return value != nullptr && *value;
  }

  void complain(std::string what) {
    if (refusal_.empty()) {
      refusal_ = std::move(what);
    }
  }

 private:
  const Headers& headers_;
  std::string& refusal_;
};

void read_payload(const Envelope& envelope, HeaderReader& headers, PayloadRef& payload) {
  payload.size = {envelope.body != nullptr ? static_cast<std::int64_t>(envelope.body->size()) : 0};
  const std::string& type = envelope.content_type;
  if (payload.size == Bytes{0}) {
    headers.complain("the payload is empty");
  }
  if (type == "image/jpeg") {
    payload.kind = PayloadKind::Jpeg;
    return;
  }
  if (type == "image/png") {
    payload.kind = PayloadKind::Png;
    return;
  }
  if (type != "application/octet-stream") {
    headers.complain(
        fmt::format("content_type '{}' is not image/jpeg, image/png or "
                    "application/octet-stream",
                    type.substr(0, 64)));
    return;
  }
  const std::string kind = headers.text("tensor", 16).value_or("opaque");
  if (kind == "uint8-hwc") {
    payload.kind = PayloadKind::RawRgb;
    payload.width = static_cast<int>(headers.number("width", 1, 16384, "pixels").value_or(0));
    payload.height = static_cast<int>(headers.number("height", 1, 16384, "pixels").value_or(0));
    const std::int64_t expected = std::int64_t{3} * payload.width * payload.height;
    if (payload.size.count != expected) {
      headers.complain(
          fmt::format("a uint8-hwc tensor of {} x {} pixels has {} bytes, the payload has {}",
                      payload.width, payload.height, expected, payload.size.count));
    }
  } else if (kind == "float32-nchw") {
    payload.kind = PayloadKind::FloatTensor;
  } else if (kind == "opaque") {
    payload.kind = PayloadKind::Opaque;
  } else {
    headers.complain("header 'tensor' must be uint8-hwc, float32-nchw or opaque");
  }
}

Requirements read_requirements(const Envelope& envelope, HeaderReader& headers) {
  Requirements wanted;
  wanted.model = headers.text("model", kModelNameMax).value_or("auto");
  wanted.device = headers.text("device", kDeviceIdMax).value_or("");
  if (!wanted.device.empty() && !valid_device_id(wanted.device)) {
    headers.complain("header 'device' is no name of a device");
  }
  if (const auto percent = headers.number("min_accuracy", 0, 100, "percent top-1")) {
    wanted.min_accuracy = MilliPercent{std::llround(*percent * 1000)};
  }
  if (const auto ms = headers.number("deadline_ms", 0.001, 86'400'000, "milliseconds")) {
    wanted.deadline = Micros{std::llround(*ms * 1000)};
  }
  if (const auto mj = headers.number("max_energy_mj", 0, 1e9, "millijoules")) {
    wanted.max_energy = Microjoules{std::llround(*mj * 1000)};
  }
  wanted.top_k = headers.whole_number("top_k", 1, kTopKMax, "labels").value_or(5);
  wanted.allow_synthetic = headers.flag("allow_synthetic");
  wanted.priority = envelope.priority.value_or(0);
  if (wanted.priority < 0 || wanted.priority > kPriorityMax) {
    headers.complain(
        fmt::format("priority is {}; it must be 0 to 9, 9 most urgent", wanted.priority));
    wanted.priority = 0;
  }
  return wanted;
}

}  // namespace

bool allowed_reply_to(std::string_view queue) {
  const auto starts = [queue](std::string_view prefix) { return queue.rfind(prefix, 0) == 0; };
  const bool own =
      (starts("juggler.") && !starts(kRepliesPrefix)) || (starts("amq.") && !starts("amq.gen-"));
  return !own && queue.size() <= 255 && is_utf8(queue);
}

std::string submitter_of(const Envelope& envelope) {
  if (!envelope.user_id.empty()) {
    return "user:" + envelope.user_id;
  }
  return "reply_to:" + (allowed_reply_to(envelope.reply_to) ? envelope.reply_to : std::string());
}

DecodedSubmission decode_submission(const Envelope& envelope, bool redelivered) {
  DecodedSubmission decoded;
  Submission& task = decoded.submission;
  HeaderReader headers(envelope.headers, decoded.refusal);

  // A reply queue that cannot be used is left empty: nobody can be told.
  if (!allowed_reply_to(envelope.reply_to)) {
    headers.complain(
        "reply_to must be UTF-8, and neither a queue of the system (juggler.*, amq.*) nor direct "
        "reply-to: use a server-named queue");
  } else {
    task.reply_to = envelope.reply_to;
  }
  task.correlation_id = envelope.correlation_id.substr(0, 255);
  task.key.submitter = submitter_of(envelope);
  task.redelivered = redelivered;
  decoded.id_given = !envelope.message_id.empty();
  task.key.id = decoded.id_given ? envelope.message_id.substr(0, kTaskIdMax)
                                 : fmt::format("anonymous-{:016x}", content_hash(envelope));
  if (envelope.message_id.size() > kTaskIdMax) {
    headers.complain(fmt::format("message_id has {} bytes; a task id has at most {}",
                                 envelope.message_id.size(), kTaskIdMax));
  }
  if (!is_utf8(envelope.message_id) || !is_utf8(envelope.user_id)) {
    headers.complain("message_id and user_id must be UTF-8");
  }
  if (!envelope.type.empty()) {
    if (const Result<void> type = check_type(envelope, "submit"); !type) {
      headers.complain(type.error().message + " (leave `type` out or set it to juggler.submit.v1)");
    }
  }
  task.requirements = read_requirements(envelope, headers);
  read_payload(envelope, headers, task.payload);
  if (task.payload.kind == PayloadKind::FloatTensor && task.requirements.model == "auto") {
    headers.complain("a preprocessed tensor must name its variant in the header 'model'");
  }
  return decoded;
}

Envelope encode_mark(const std::string& login, std::string name) {
  Envelope envelope;
  envelope.exchange = kSubmitExchange;
  envelope.routing_key = kTasksQueue;
  envelope.type = type_of("mark");
  envelope.message_id = std::move(name);
  envelope.user_id = login;
  envelope.body = make_body("");
  return envelope;
}

bool is_mark(const Envelope& envelope) { return envelope.type == type_of("mark"); }

Envelope encode_submission(const Submission& submission, Body payload) {
  Envelope envelope;
  envelope.exchange = kSubmitExchange;
  envelope.routing_key = kTasksQueue;
  envelope.type = type_of("submit");
  envelope.message_id = submission.key.id;
  envelope.correlation_id = submission.correlation_id;
  envelope.reply_to = submission.reply_to;
  const Requirements& wanted = submission.requirements;
  envelope.priority = wanted.priority;
  switch (submission.payload.kind) {
    case PayloadKind::Jpeg:
      envelope.content_type = "image/jpeg";
      break;
    case PayloadKind::Png:
      envelope.content_type = "image/png";
      break;
    case PayloadKind::RawRgb:
      envelope.content_type = "application/octet-stream";
      envelope.headers["tensor"] = std::string("uint8-hwc");
      envelope.headers["width"] = std::int64_t{submission.payload.width};
      envelope.headers["height"] = std::int64_t{submission.payload.height};
      break;
    case PayloadKind::FloatTensor:
      envelope.content_type = "application/octet-stream";
      envelope.headers["tensor"] = std::string("float32-nchw");
      break;
    case PayloadKind::Opaque:
      envelope.content_type = "application/octet-stream";
      break;
  }
  envelope.headers["model"] = wanted.model;
  if (!wanted.device.empty()) {
    envelope.headers["device"] = wanted.device;
  }
  envelope.headers["top_k"] = std::int64_t{wanted.top_k};
  if (wanted.min_accuracy.has_value()) {
    envelope.headers["min_accuracy"] = static_cast<double>(wanted.min_accuracy->count) / 1000.0;
  }
  if (wanted.deadline.has_value()) {
    envelope.headers["deadline_ms"] = static_cast<double>(wanted.deadline->count) / 1000.0;
  }
  if (wanted.max_energy.has_value()) {
    envelope.headers["max_energy_mj"] = static_cast<double>(wanted.max_energy->count) / 1000.0;
  }
  if (wanted.allow_synthetic) {
    envelope.headers["allow_synthetic"] = true;
  }
  envelope.body = std::move(payload);
  return envelope;
}

}  // namespace juggler::wire
