#pragma once
// A device from its flags to its end: models, engines, the broker, and again where other models or
// another name are wanted.

#include "amqp/session.h"
#include "apps/consumer_flags.h"

namespace juggler {

// Runs until a signal asks to stop and everything accepted is done. The exit status.
//
// `login_file`: where this program keeps its login itself; empty: somebody else does, and it cannot
// take another name.
int run_device(ConsumerFlags flags, amqp::BrokerUrl broker, std::string login_file);

// Many twins in this process, NAME-1 to NAME-N, by one login, which must be allowed to speak for
// all of them (a controller's).
int run_twins(const ConsumerFlags& flags, const amqp::BrokerUrl& broker, const TwinCount& twins);

}  // namespace juggler
