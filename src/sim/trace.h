#pragma once
// Every event and action as one line of text, for people who look into a failing seed.

#include <string>

#include "core/consumer_messages.h"
#include "core/controller_messages.h"

namespace juggler::sim {

std::string describe(const ControllerEvent& event);
std::string describe(const ControllerAction& action);
std::string describe(const ConsumerEvent& event);
std::string describe(const ConsumerAction& action);

}  // namespace juggler::sim
