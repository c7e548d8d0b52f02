#pragma once
// What any device checks of a payload before it computes, so that a twin refuses what a board
// would.

#include <string>

#include "core/result.h"
#include "files/catalogue.h"
#include "runtime/engine.h"

namespace juggler {

// Checks kind, size and, for pictures, the header. `input` may be null where the device does not
// know the variant's input; then a tensor's size is not checked.
Result<void> check_payload(const EngineInput& input, const InputSpec* spec);

// The output that refuses a payload for this reason.
EngineOutput bad_payload(std::string reason);

}  // namespace juggler
