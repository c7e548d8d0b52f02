#pragma once
// The broker's address with a controller's rights, for commands that look after a fleet.

#include "amqp/session.h"
#include "apps/places.h"
#include "core/result.h"

namespace juggler {

// What was named (find_broker), else the controller's login of the private broker of this home.
Result<amqp::BrokerUrl> find_controller_login(const BrokerChoice& choice);

}  // namespace juggler
