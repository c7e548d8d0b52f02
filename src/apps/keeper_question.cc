#include "apps/keeper_question.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "apps/json_fields.h"
#include "runtime/clock.h"
#include "runtime/queries.h"
#include "runtime/topology.h"

namespace juggler {
namespace {

constexpr const char* kFleetQuestion = "fleet";

Result<nlohmann::json> read_answer(const wire::Envelope& envelope) {
  const nlohmann::json answer =
      envelope.body != nullptr
          ? nlohmann::json::parse(*envelope.body, nullptr, /*allow_exceptions=*/false)
          : nlohmann::json();
  if (!answer.is_object()) {
    return fail(ErrorCode::Corrupt, "the keeper's answer cannot be read");
  }
  const std::string problem = text_of(answer, "error");
  return problem.empty() ? Result<nlohmann::json>(answer)
                         : fail(ErrorCode::Unavailable, "the keeper: " + problem);
}

}  // namespace

Result<nlohmann::json> ask_keeper_by(const amqp::BrokerUrl& broker, Micros wait_max) {
  SessionPlan plan;
  plan.connection_name = "juggler: a question to the keeper";
  plan.reply_queue = true;
  plan.controllers_replies = true;
  const std::unique_ptr<Transport> transport = amqp::make_transport({std::move(plan), broker});
  SystemClock clock;
  const Time until = clock.now() + wait_max;
  std::string problem = "the keeper did not answer";
  std::optional<Result<nlohmann::json>> answer;
  std::vector<TransportEvent> events;
  while (!answer.has_value() && clock.now() < until) {
    events.clear();
    transport->poll(milliseconds(100), events);
    for (const TransportEvent& event : events) {
      if (const auto* connected = std::get_if<TransportConnected>(&event)) {
        wire::Envelope question = make_query("fleet", "", connected->reply_queue, kFleetQuestion);
        question.routing_key = kKeeperQueue;
        transport->publish(1, std::move(question));
      } else if (const auto* lost = std::get_if<TransportDisconnected>(&event)) {
        problem = "no connection to the broker: " + lost->reason;
      } else if (const auto* settled = std::get_if<TransportSettled>(&event);
                 settled != nullptr && settled->end == PublishEnd::Returned) {
        answer = fail(ErrorCode::Unavailable,
                      "no keeper answers on this broker: start `juggler keeper` (`juggler up` "
                      "runs it)");
      } else if (const auto* delivery = std::get_if<TransportDelivery>(&event);
                 delivery != nullptr && delivery->envelope.correlation_id == kFleetQuestion) {
        answer = read_answer(delivery->envelope);
      }
    }
  }
  transport->close(seconds(1));
  return answer.has_value() ? *answer : fail(ErrorCode::Unavailable, problem);
}

}  // namespace juggler
