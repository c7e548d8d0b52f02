#include "amqp/leader_queue.h"

#include <string>

#include "amqp/topology.h"
#include "wire/messages.h"

namespace juggler::amqp {

tl::expected<bool, CallFailure> leader_queue_is_held(Connection& connection,
                                                     std::uint16_t channel) {
  wire::Envelope question;
  question.routing_key = kLeaderQueue;
  question.persistent = false;
  question.body = wire::make_body({});
  if (auto sent = connection.send_message(channel, question); !sent) {
    return tl::unexpected(CallFailure{0, sent.error().message});
  }
  // The broker does what a channel asks in order: once it has answered the next call, the message
  // has come back or lies in the queue.
  auto answered = inspect_queue(connection, channel, wire::kResultsQueue);
  if (!answered) {
    return tl::unexpected(answered.error());
  }
  return !connection.take_returned(kLeaderQueue);
}

tl::expected<bool, CallFailure> take_leader_queue(Connection& connection, std::uint16_t channel) {
  // What the others ask with is not kept.
  QueueSpec queue{.name = kLeaderQueue, .arguments = {{"x-message-ttl", std::int64_t{0}}}};
  queue.exclusive = true;
  auto declared = declare_queue(connection, channel, queue);
  if (!declared && declared.error().reply_code == AMQP_RESOURCE_LOCKED) {
    return false;
  }
  return declared ? tl::expected<bool, CallFailure>(true) : tl::unexpected(declared.error());
}

}  // namespace juggler::amqp
