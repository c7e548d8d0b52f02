#include "http/replies.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace juggler::http {
namespace {

using nlohmann::json;

std::string dumped(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

json parsed(const std::string& text) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return document.is_discarded() ? json() : document;
}

}  // namespace

std::string task_of(const std::string& who, const std::string& id) { return who + "/" + id; }

Reply outcome_reply(const std::string& id, const std::string& task, const Outcome& outcome,
                    const std::string& text) {
  json body{{"id", id}, {"task", task}, {"outcome", parsed(text)}};
  Reply reply;
  if (outcome.kind == OutcomeKind::Completed) {
    reply.body = dumped(body);
    return reply;
  }
  // Whole in itself: clients of the Open Inference Protocol show nothing else.
  body["error"] = fmt::format("the task was {}: {}", to_string(outcome.kind), outcome.reason);
  body["why"] = outcome.reason;
  switch (outcome.kind) {
    case OutcomeKind::Completed:
      break;
    case OutcomeKind::Rejected:
      reply.status = 503;
      reply.headers.emplace_back("Retry-After", "1");
      body["next"] = "ask for less, or again later under another id: this one has its outcome";
      break;
    case OutcomeKind::Expired:
      reply.status = 504;
      body["next"] = "allow more time (deadline_ms), or less accuracy; under another id";
      break;
    case OutcomeKind::Failed:
      reply.status = 500;
      body["next"] =
          "outcome.attempts has the causes; who runs the fleet sees it in "
          "`juggler dead list`";
      break;
  }
  reply.body = dumped(body);
  return reply;
}

Reply accepted_reply(const std::string& id, const std::string& task, bool done) {
  Reply reply;
  reply.status = 202;
  reply.headers.emplace_back("Location", "/v1/tasks/" + id);
  reply.body = dumped({{"id", id}, {"task", task}, {"state", done ? "done" : "accepted"}});
  return reply;
}

Reply state_reply(const std::string& id, const std::string& task, const std::string& text) {
  json body{{"id", id}, {"task", task}, {"state", text.empty() ? "accepted" : "done"}};
  if (!text.empty()) {
    body["outcome"] = parsed(text);
  }
  Reply reply;
  reply.body = dumped(body);
  return reply;
}

Reply unreadable(const Error& error) {
  const bool large = error.code == ErrorCode::TooLarge;
  const bool kind = error.code == ErrorCode::Unsupported;
  return refuse({.status = large  ? 413
                           : kind ? 415
                                  : 400,
                 .error = "this cannot be a task",
                 .why = error.message,
                 .next = "mend it and send it again; docs/http.md has examples"});
}

Reply no_broker() {
  return try_later({.status = 503,
                    .error = "the fleet cannot be reached now",
                    .why = "no connection to the broker",
                    .next = "send it again, under the same id: it is run once"});
}

Reply no_controller() {
  return try_later({.status = 503,
                    .error = "nobody schedules now",
                    .why = "no controller answers on the broker",
                    .next = "start `juggler controller` (or `juggler up`), and send it again"});
}

}  // namespace juggler::http
