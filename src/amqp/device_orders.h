#pragma once
// A word to a device past any controller, and whether it is there: by its control queue.

#include <string>

#include "amqp/session.h"
#include "core/result.h"
#include "wire/messages.h"

namespace juggler::amqp {

// An empty name is all devices.
//
// requires  a login with a controller's rights
// errors    Unavailable: no broker, or it refuses
Result<void> tell_device(const BrokerUrl& broker, const std::string& device,
                         const wire::Control& control);

// Whether it consumes its queue now.
Result<bool> device_is_there(const BrokerUrl& broker, const std::string& device);

}  // namespace juggler::amqp
