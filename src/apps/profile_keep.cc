#include "apps/profile_keep.h"

#include <ctime>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "apps/version.h"
#include "inference/calibration_file.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string today_iso() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

Result<MachineProfile> begin_profile(const ProfileFlags& flags, const ProfiledMachine& machine,
                                     const fs::path& file) {
  MachineProfile fresh;
  fresh.name = machine.name;
  fresh.title = machine.title;
  fresh.machine = machine.processor;
  fresh.memory = machine.memory;
  fresh.date = today_iso();
  fresh.program = "juggler " + version_short();
  fresh.note = flags.note;
  fresh.mode = machine.mode;
  fresh.energy_absent = machine.energy_absent;
  fresh.curves = machine.curves;
  if (flags.again || file.empty()) {
    return fresh;
  }
  Result<MachineProfile> known = load_profile(file);
  if (!known && known.error().code == ErrorCode::NotFound) {
    return fresh;
  }
  if (!known) {
    return fail(known.error().code, known.error().message + "; --again replaces the file");
  }
  if (known->machine != machine.processor || known->name != machine.name) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} is of '{}' on {}, not of '{}' on {}: name another file, or --again "
                    "replaces it",
                    file.string(), known->name, known->machine, machine.name, machine.processor));
  }
  if (other_power_mode(known->mode, machine.mode)) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} was measured in power mode {}, and {} is set now: name another "
                    "file, or --again replaces it",
                    file.string(), power_mode_name(known->mode), power_mode_name(machine.mode)));
  }
  fresh.lanes = std::move(known->lanes);
  fresh.curves = std::move(known->curves);
  fresh.meter = std::move(known->meter);
  return fresh;
}

Result<void> announce_profile(const ProfileFlags& flags, const fs::path& home,
                              const MachineProfile& profile) {
  for (const auto& [id, lane] : profile.lanes) {
    if (Result<void> saved = save_calibration(calibration_of(profile, lane),
                                              calibration_file(home, flags.device, id));
        !saved) {
      return saved;
    }
  }
  return {};
}

}  // namespace juggler
