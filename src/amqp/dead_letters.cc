#include "amqp/dead_letters.h"

#include <string>
#include <utility>

#include "amqp/topology.h"
#include "fmt/format.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
// What the broker refuses closes its channel; the letters that were looked at stay the other's.
constexpr std::uint16_t kRiskyChannel = 2;

Error refused(const std::string& what, const CallFailure& failure) {
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
  DeadLetters letters(std::move(*connection));
  if (auto opened = letters.open_risky(); !opened) {
    return opened.error();
  }
  const auto failed = inspect_queue(*letters.connection_, kRiskyChannel, wire::kFailedQueue);
  if (!failed) {
    letters.risky_open_ = false;
    letters.has_failed_ = failed.error().reply_code != AMQP_NOT_FOUND;
  }
  return letters;
}

Result<std::optional<DeadLetter>> DeadLetters::next(DeadQueue queue) {
  if (queue == DeadQueue::Failed && !has_failed_) {
    return std::optional<DeadLetter>();
  }
  const char* name = queue == DeadQueue::Failed ? wire::kFailedQueue : wire::kDeadQueue;
  amqp_basic_get_t get{};
  get.queue = to_bytes(name);
  auto got = connection_->call(kChannel, AMQP_BASIC_GET_METHOD, get, AMQP_BASIC_GET_OK_METHOD,
                               AMQP_BASIC_GET_EMPTY_METHOD);
  if (!got) {
    return refused(fmt::format("read {}", name), got.error());
  }
  if (got->method == AMQP_BASIC_GET_EMPTY_METHOD) {
    return std::optional<DeadLetter>();
  }
  return std::optional(DeadLetter{std::move(got->message.envelope), got->message.tag});
}

Result<void> DeadLetters::open_risky() {
  if (risky_open_) {
    return {};
  }
  if (auto opened = connection_->open_channel(kRiskyChannel); !opened) {
    return refused("open a channel", opened.error());
  }
  auto confirming = connection_->call(kRiskyChannel, AMQP_CONFIRM_SELECT_METHOD,
                                      amqp_confirm_select_t{}, AMQP_CONFIRM_SELECT_OK_METHOD);
  if (!confirming) {
    return refused("ask for confirms", confirming.error());
  }
  risky_open_ = true;
  return {};
}

Result<void> DeadLetters::replace(const DeadLetter& dead, const wire::Envelope& again) {
  if (auto opened = open_risky(); !opened) {
    return opened;
  }
  // An unroutable message is confirmed, too.
  if (auto queue = inspect_queue(*connection_, kRiskyChannel, again.routing_key); !queue) {
    risky_open_ = false;
    return refused("submit it again", queue.error());
  }
  if (auto sent = connection_->send_message(kRiskyChannel, again); !sent) {
    return sent.error();
  }
  const auto accepted = connection_->await_confirm();
  if (!accepted) {
    risky_open_ = false;
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
  return read ? Result<void>()
              : Result<void>(refused("take it from the dead letters", read.error()));
}

}  // namespace juggler::amqp
