#pragma once
// RapidCheck generators of every message. Include <gtest/gtest.h> before this.

#include <rapidcheck.h>

#include <string>
#include <vector>

#include "core/controller_messages.h"
#include "core/device.h"
#include "core/task.h"

namespace juggler::test {

// Text as it may stand in a message: any UTF-8 of the given length, some of it odd.
rc::Gen<std::string> any_text(std::size_t size_min, std::size_t size_max);
// A device's, processor's or queue's name.
rc::Gen<std::string> any_name();

rc::Gen<EnergyFigure> any_energy();
rc::Gen<Submission> any_submission();  // as a client may send it, with an id
rc::Gen<Dispatch> any_dispatch();
rc::Gen<AttemptResult> any_result();
rc::Gen<Heartbeat> any_heartbeat();
rc::Gen<DeviceFacts> any_facts();  // validate() accepts them
rc::Gen<Outcome> any_outcome();

}  // namespace juggler::test
