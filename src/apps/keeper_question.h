#pragma once
// Asks the keeper by a controller's login.

#include <nlohmann/json_fwd.hpp>

#include "amqp/session.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

// The keeper's answer to "fleet" (docs/protocol.md).
//
// errors  Unavailable: no broker, no keeper, or no answer within `wait_max`; what it complains of
Result<nlohmann::json> ask_keeper_by(const amqp::BrokerUrl& broker, Micros wait_max);

}  // namespace juggler
