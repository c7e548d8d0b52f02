#pragma once
// Where `juggler profile` goes on from, and for whom else it keeps what it has measured.

#include <filesystem>
#include <string>

#include "apps/profile_lanes.h"
#include "core/result.h"
#include "inference/machine_profile.h"

namespace juggler {

// The date, as 2026-11-27, of UTC.
std::string today_iso();

// What an earlier run left in the file, where it fits this machine and its power mode; else a
// profile in which nothing was measured.
//
// errors  InvalidArgument: the file is of another machine, name or power mode; what is wrong with
// it
Result<MachineProfile> begin_profile(const ProfileFlags& flags, const ProfiledMachine& machine,
                                     const std::filesystem::path& file);

// For the consumer of --device: juggler-consumer finds it measured already.
Result<void> announce_profile(const ProfileFlags& flags, const std::filesystem::path& home,
                              const MachineProfile& profile);

}  // namespace juggler
