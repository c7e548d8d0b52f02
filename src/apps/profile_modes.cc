#include "apps/profile_modes.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "apps/power_mode.h"
#include "apps/stop_signals.h"
#include "telemetry/host_files.h"

namespace juggler {
namespace {

// "this-machine-mode-15w": a profile's name has lower-case letters, digits and hyphens.
std::string name_in(const std::string& name, const PowerModeName& mode) {
  std::string suffix = mode.name.empty() ? std::to_string(mode.id) : mode.name;
  for (char& c : suffix) {
    const auto letter = static_cast<unsigned char>(c);
    c = std::isalnum(letter) != 0 ? static_cast<char>(std::tolower(letter)) : '-';
  }
  return name + "-" + suffix;
}

}  // namespace

int profile_in_modes(const ProfileFlags& flags,
                     const std::function<int(const ProfileFlags& flags)>& measure) {
  if (flags.power_modes.empty() || !flags.twin.empty()) {
    return measure(flags);
  }
  catch_stop_signals();  // the mode from before is set again first
  DiskFiles host(flags.host_root);
  DiskFiles own;
  const Discovery found = discover(host, own);
  const Result<std::vector<PowerModeName>> modes = named_modes(found, flags.power_modes);
  if (!modes) {
    return complain(modes.error().message, kExitUsage);
  }
  const PowerModeFound& before = *found.power_mode.value;
  int status = kExitDone;
  for (const PowerModeName& mode : *modes) {
    if (stop_signals() > 0) {
      break;
    }
    if (const Result<void> set = set_power_mode(flags.host_root, mode); !set) {
      status = complain(set.error().message, kExitFailed);
      break;
    }
    ProfileFlags in_mode = flags;
    in_mode.power_modes.clear();
    in_mode.name = name_in(flags.name, mode);
    const int ended = measure(in_mode);
    status = status == kExitDone ? ended : status;
  }
  if (mode_now(flags.host_root).power_mode_id != std::optional<std::int64_t>(before.id)) {
    if (const Result<void> back = set_power_mode(flags.host_root, {before.id, before.name});
        !back) {
      return complain("the mode from before is not set again: " + back.error().message,
                      kExitFailed);
    }
  }
  return status;
}

}  // namespace juggler
