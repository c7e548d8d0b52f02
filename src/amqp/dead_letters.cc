#include "amqp/dead_letters.h"

#include <utility>

#include "amqp/topology.h"
#include "fmt/format.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;

Error refused(const char* what, const CallFailure& failure) {
  const bool rights = failure.reply_code == AMQP_ACCESS_REFUSED;
  return fail(ErrorCode::Unavailable,
              fmt::format("cannot {}: {}{}", what, failure.message,
                          rights ? "; the login needs a controller's rights" : failure.advice));
}

}  // namespace

Result<DeadLetters> DeadLetters::open(const BrokerUrl& broker) {
  auto connection = Connection::open(broker, "juggler: dead letters");
  if (!connection) {
    return connection.error();
  }
  if (auto channel = (*connection)->open_channel(kChannel); !channel) {
    return refused("open a channel", channel.error());
  }
  auto confirming = (*connection)
                        ->call(kChannel, AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t{},
                               AMQP_CONFIRM_SELECT_OK_METHOD);
  if (!confirming) {
    return refused("ask for confirms", confirming.error());
  }
  return DeadLetters(std::move(*connection));
}

Result<std::optional<DeadLetter>> DeadLetters::next() {
  amqp_basic_get_t get{};
  get.queue = to_bytes(wire::kDeadExchange);  // the queue has the exchange's name
  auto got = connection_->call(kChannel, AMQP_BASIC_GET_METHOD, get, AMQP_BASIC_GET_OK_METHOD,
                               AMQP_BASIC_GET_EMPTY_METHOD);
  if (!got) {
    return refused("read juggler.dead", got.error());
  }
  if (got->method == AMQP_BASIC_GET_EMPTY_METHOD) {
    return std::optional<DeadLetter>();
  }
  return std::optional(DeadLetter{std::move(got->message.envelope), got->message.tag});
}

Result<void> DeadLetters::replace(const DeadLetter& dead, const wire::Envelope& again) {
  // An unroutable message is confirmed, too.
  if (auto queue = inspect_queue(*connection_, kChannel, again.routing_key); !queue) {
    return refused("submit it again", queue.error());
  }
  if (auto sent = connection_->send_message(kChannel, again); !sent) {
    return sent.error();
  }
  const auto accepted = connection_->await_confirm();
  if (!accepted) {
    return refused("submit it again", accepted.error());
  }
  if (!*accepted) {
    return fail(ErrorCode::Unavailable, "the queue of tasks is full");
  }
  amqp_basic_ack_t ack{};
  ack.delivery_tag = dead.tag;
  if (auto sent = connection_->send(kChannel, AMQP_BASIC_ACK_METHOD, ack); !sent) {
    return sent.error();
  }
  // The answer to any call proves that the ack was read.
  auto read = inspect_queue(*connection_, kChannel, again.routing_key);
  return read ? Result<void>() : Result<void>(refused("take it from juggler.dead", read.error()));
}

}  // namespace juggler::amqp
