#pragma once
// Asks a device to drain, past any controller: by its control queue.

#include <string>

#include "amqp/session.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler::amqp {

// Tells it, and waits for `wait_max` until it has left. Returns whether it has.
//
// requires  a login with a controller's rights
// errors    NotFound: it was never enrolled, or is not there; Unavailable: no broker, or it refuses
Result<bool> drain_device(const BrokerUrl& broker, const std::string& device, Micros wait_max);

}  // namespace juggler::amqp
