#pragma once
// Names of boards: from what a device tree calls a machine to the name of its profile.

#include <string>
#include <string_view>

namespace juggler {

// "NVIDIA Jetson Orin Nano Developer Kit" is "jetson-orin-nano". A model that is not listed keeps
// its own words in lower case; an empty one takes `otherwise`, made likewise.
std::string board_of_model(std::string_view model, std::string_view otherwise);

}  // namespace juggler
