#pragma once
// The number of a device's start.

#include <cstdint>
#include <filesystem>
#include <string>

namespace juggler {

// A number greater than every earlier start's of this device, kept in its home: unix seconds, or
// one more than the last where the clock has stepped back or starts follow within a second. A board
// without a clock of its own would else be taken for its own past. Where the home cannot be
// written, the clock alone counts.
std::int64_t next_incarnation(const std::filesystem::path& home, const std::string& device,
                              std::int64_t unix_seconds);

}  // namespace juggler
