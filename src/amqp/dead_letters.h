#pragma once
// What lies in juggler.failed and juggler.dead, looked at and put back, or submitted again.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "amqp/connection.h"
#include "amqp/session.h"
#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::amqp {

// Failed tasks; and what nobody could read, with the failed tasks of an older controller.
enum class DeadQueue { Failed, Dead };
inline constexpr std::array kDeadQueues{DeadQueue::Failed, DeadQueue::Dead};

struct DeadLetter {
  wire::Envelope envelope;
  std::uint64_t tag = 0;
};

// One look at the queues. What was not submitted again lies where it was when this ends.
class DeadLetters {
 public:
  // requires  a login with a controller's rights
  // errors    Unavailable: no broker, or it refuses
  static Result<DeadLetters> open(const BrokerUrl& broker);

  // The next one there, the oldest first; nothing at the end.
  Result<std::optional<DeadLetter>> next(DeadQueue queue);
  // Publishes `again` and, once the broker has it, takes the dead one away. A failure leaves this
  // one where it was, and the others can be replaced.
  Result<void> replace(const DeadLetter& dead, const wire::Envelope& again);

 private:
  explicit DeadLetters(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  Result<void> open_risky();

  std::unique_ptr<Connection> connection_;
  bool risky_open_ = false;
  bool has_failed_ = true;  // false: no controller of this version has been here yet
};

}  // namespace juggler::amqp
