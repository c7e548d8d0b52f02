#pragma once
// Whether one login may do everything that a whole fleet does on a broker: controller, devices and
// clients behind the same user, as `juggler up --broker` runs them.

#include "amqp/connection.h"

namespace juggler::amqp {

// What such a login needs: docs/protocol.md#permissions.
inline constexpr const char* kFleetLoginNeeds =
    "configure and read '^(juggler\\.|amq\\.gen)', write '^(amq\\.default|juggler\\..*)$' "
    "(docs/protocol.md#permissions)";

// Declares what the controller will declare at once, and a reply queue that ends with the channel.
// Opens and closes a channel of its own.
//
// errors  the broker's refusal: what was refused, and by which rule
Result<void> check_fleet_login(Connection& connection);

}  // namespace juggler::amqp
