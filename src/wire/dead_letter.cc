// Dead letters: copies of what nobody could read, and failed tasks that are submitted again. Both
// hold somebody else's words, of which only what is known is copied on.

#include <algorithm>
#include <array>

#include "core/text.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kReasonBytesMax = 1000;
constexpr std::size_t kHeaderBytesMax = 255;
constexpr std::array<std::string_view, 10> kSubmissionHeaders{
    "model", "device",          "min_accuracy", "deadline_ms", "max_energy_mj",
    "top_k", "allow_synthetic", "tensor",       "width",       "height"};

bool may_be_copied(const Headers::value_type& header) {
  const auto& [name, value] = header;
  const auto* text = std::get_if<std::string>(&value);
  return std::find(kSubmissionHeaders.begin(), kSubmissionHeaders.end(), name) !=
             kSubmissionHeaders.end() &&
         !std::holds_alternative<std::monostate>(value) &&
         (text == nullptr || text->size() <= kHeaderBytesMax);
}

void keep_known(Headers& headers) {
  std::erase_if(headers, [](const auto& header) { return !may_be_copied(header); });
}

void address(Envelope& dead, const std::string& queue, const std::string& reason) {
  dead.headers["x-juggler-queue"] = queue;
  dead.headers["x-juggler-routing-key"] = dead.routing_key;
  dead.headers["x-juggler-reason"] = shortened(reason, kReasonBytesMax);
  dead.exchange.clear();  // by the default exchange
  dead.routing_key = kDeadQueue;
  dead.mandatory = false;
}

}  // namespace

Envelope encode_unreadable(const Envelope& foreign, const std::string& queue,
                           const std::string& reason) {
  Envelope dead = foreign;
  keep_known(dead.headers);
  address(dead, queue, reason);
  dead.user_id.clear();  // the broker checks it against ours
  dead.reply_to.clear();
  dead.expiration_ms.reset();
  if (dead.body == nullptr) {
    dead.body = make_body("");
  }
  return dead;
}

Envelope encode_stranded(const Outcome& outcome) {
  Envelope dead = encode_outcome(outcome, kTasksQueue, "");
  address(dead, kTasksQueue, "the broker took this outcome nowhere else");
  return dead;
}

bool is_failed_task(const Envelope& dead) {
  // Set by the broker with what it rejects, and by controllers with what they could not read.
  const bool refused = dead.headers.contains("x-death") ||
                       dead.headers.contains("x-first-death-queue") ||
                       dead.headers.contains("x-juggler-queue");
  return dead.type == type_of("dead") && !refused;
}

std::optional<Envelope> submit_again(Envelope dead, const std::string& id) {
  if (!is_failed_task(dead)) {
    return std::nullopt;
  }
  const auto reply_to = dead.headers.find("x-juggler-reply-to");
  if (reply_to != dead.headers.end()) {
    const auto* queue = std::get_if<std::string>(&reply_to->second);
    // A controller of an earlier version took more of them; nobody waits there any more.
    if (queue != nullptr && allowed_reply_to(*queue)) {
      dead.reply_to = *queue;
    }
  }
  if (dead.correlation_id.empty()) {
    dead.correlation_id = dead.message_id;
  }
  dead.message_id = id;
  dead.user_id.clear();  // the broker checks it against the login of who submits again
  dead.exchange = kSubmitExchange;
  dead.routing_key = kTasksQueue;
  dead.type = type_of("submit");
  dead.persistent = true;
  dead.mandatory = true;
  keep_known(dead.headers);
  return dead;
}

}  // namespace juggler::wire
