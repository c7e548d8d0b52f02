#pragma once
// What lies in juggler.dead, looked at and put back, or submitted again.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "amqp/connection.h"
#include "amqp/session.h"
#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::amqp {

struct DeadLetter {
  wire::Envelope envelope;
  std::uint64_t tag = 0;
};

// One look at the queue. Everything that was not submitted again lies where it was when this ends.
class DeadLetters {
 public:
  // requires  a login with a controller's rights
  // errors    Unavailable: no broker, or it refuses
  static Result<DeadLetters> open(const BrokerUrl& broker);

  // The next one, the oldest first; nothing at the end.
  Result<std::optional<DeadLetter>> next();
  // Publishes `again` and, once the broker has it, takes the dead one away.
  Result<void> replace(const DeadLetter& dead, const wire::Envelope& again);

 private:
  explicit DeadLetters(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  std::unique_ptr<Connection> connection_;
};

}  // namespace juggler::amqp
