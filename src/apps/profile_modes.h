#pragma once
// `juggler profile --power-modes`: the same measurements in one power mode after the other.

#include <functional>

#include "apps/profile_lanes.h"

namespace juggler {

// Sets each of the modes that the flags name, calls `measure` with the flags for it, and sets the
// mode again that was set before, whatever happened. Without any it only measures. Returns the
// first exit status that is not 0.
int profile_in_modes(const ProfileFlags& flags,
                     const std::function<int(const ProfileFlags& flags)>& measure);

}  // namespace juggler
