#include "apps/power_mode.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "runtime/child_process.h"
#include "telemetry/host_files.h"

namespace juggler {
namespace {

constexpr Micros kSetMax = seconds(60);

// Where `sudo` would find it too; as it is where it is nowhere.
std::string find_nvpmodel() {
  const char* path = std::getenv("PATH");
  std::string folders = std::string(path != nullptr ? path : "") + ":/usr/sbin";
  for (std::size_t begin = 0; begin < folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string file = folders.substr(begin, end - begin) + "/nvpmodel";
    if (access(file.c_str(), X_OK) == 0) {
      return file;
    }
    begin = end + 1;
  }
  return {};
}

std::string said_first(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

MeasuredMode mode_of(const Discovery& found) {
  MeasuredMode mode;
  if (found.power_mode.value.has_value()) {
    mode.power_mode = found.power_mode.value->name;
    mode.power_mode_id = found.power_mode.value->id;
  }
  mode.clocks_locked = found.clocks_locked.value;
  std::int64_t fastest = 0;
  for (const CpuCluster& cluster : found.clusters) {
    fastest = std::max(fastest, cluster.khz_max);
  }
  if (fastest > 0) {
    mode.cpu_khz_max = fastest;
  }
  if (found.gpu.value.has_value() && found.gpu.value->hz_max > 0) {
    mode.gpu_hz_max = found.gpu.value->hz_max;
  }
  return mode;
}

MeasuredMode mode_now(const std::string& host_root) {
  DiskFiles host(host_root);
  DiskFiles own;
  return mode_of(discover(host, own));
}

Result<std::vector<PowerModeName>> named_modes(const Discovery& found,
                                               const std::vector<std::string>& wanted) {
  if (!found.power_mode.value.has_value() || found.power_mode.value->modes.empty()) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format(
            "--power-modes: {} has no power modes that can be named ({})", found.board,
            found.power_mode.value.has_value() ? "no etc/nvpmodel.conf" : found.power_mode.source));
  }
  const std::vector<PowerModeName>& known = found.power_mode.value->modes;
  std::vector<PowerModeName> modes;
  for (const std::string& name : wanted) {
    const auto at = std::find_if(known.begin(), known.end(), [&](const PowerModeName& mode) {
      return mode.name == name || std::to_string(mode.id) == name;
    });
    if (at == known.end()) {
      std::vector<std::string> names;
      for (const PowerModeName& mode : known) {
        names.push_back(fmt::format("{} ({})", mode.name, mode.id));
      }
      return fail(
          ErrorCode::InvalidArgument,
          fmt::format("--power-modes: no mode '{}'; there are {}", name, fmt::join(names, ", ")));
    }
    modes.push_back(*at);
  }
  return modes;
}

Result<void> set_power_mode(const std::string& host_root, const PowerModeName& mode) {
  const std::string name = fmt::format("{} ({})", mode.name, mode.id);
  ChildOptions nvpmodel;
  nvpmodel.program = find_nvpmodel();
  if (nvpmodel.program.empty()) {
    return fail(ErrorCode::Unavailable,
                fmt::format("power mode {}: there is no program nvpmodel in PATH: a container has "
                            "none, and a board without power modes neither",
                            name));
  }
  nvpmodel.arguments = {"-m", std::to_string(mode.id)};
  nvpmodel.environment = own_environment();
  nvpmodel.input = "no\n";  // to its question whether to reboot
  const Result<ChildEnd> end = run_child(nvpmodel, kSetMax);
  if (!end) {
    return fail(ErrorCode::Unavailable, fmt::format("power mode {}: nvpmodel cannot be run: {}",
                                                    name, end.error().message));
  }
  if (end->status != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("power mode {}: nvpmodel -m ended with {}: {}. It wants root: sudo",
                            name, end->status, said_first(end->output)));
  }
  const MeasuredMode now = mode_now(host_root);
  if (now.power_mode_id != std::optional<std::int64_t>(mode.id)) {
    return fail(ErrorCode::Unavailable,
                fmt::format("power mode {} was asked for, and {} is set: it may need a reboot",
                            name, power_mode_name(now)));
  }
  return {};
}

}  // namespace juggler
