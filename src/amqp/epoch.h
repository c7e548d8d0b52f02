#pragma once
// The number that grows with each leader, kept as a message in the broker: where the tasks live.

#include <cstdint>
#include <optional>

#include "amqp/connection.h"

namespace juggler::amqp {

struct TakenEpoch {
  std::int64_t epoch = 0;
  std::int64_t previous = 0;  // the highest that lay there
};

// Takes the next epoch: greater than every one in `juggler.epoch`, and not below the calendar.
//
// Reads the queue until it is empty, publishes the new number, waits for its confirm, and only then
// acks what was read: a crash anywhere leaves at least one message, and the highest wins. The
// calendar makes a lost broker disk harmless to devices that remember an epoch.
// requires  confirm mode on a channel that has published nothing; its next publish is the second.
tl::expected<TakenEpoch, CallFailure> take_epoch(Connection& connection, std::uint16_t channel,
                                                 std::int64_t unix_seconds);

// The number in such a message, if it is one.
std::optional<std::int64_t> parse_epoch(const wire::Envelope& message);

}  // namespace juggler::amqp
