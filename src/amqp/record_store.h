#pragma once
// A fleet's record, kept by the broker alone: one message in the queue juggler.fleet. Whoever
// changes it holds the queue exclusively meanwhile, so that two changes are one after the other;
// of what a crash leaves, the highest revision counts.

#include <functional>

#include "amqp/session.h"
#include "core/fleet_record.h"
#include "core/result.h"

namespace juggler::amqp {

// The record as it is; an empty one where none was made.
//
// requires  a login with a controller's rights. Blocks for a second or two at most as a rule, for
//           ten where the broker does not answer.
// errors    Unavailable: no broker, it refuses, or others hold the record; Corrupt: it cannot be
//           read, and is left as it is
Result<FleetRecord> read_record(const BrokerUrl& broker);

// Lets `change` change it, and keeps what comes of it where that is something else. Returns what is
// kept. An error of `change` is returned, and nothing is changed.
Result<FleetRecord> edit_record(const BrokerUrl& broker,
                                const std::function<Result<void>(FleetRecord&)>& change);

// Tells every device that what it is to hold may have changed.
Result<void> nudge_devices(const BrokerUrl& broker);

}  // namespace juggler::amqp
