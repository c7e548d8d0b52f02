#include "apps/host_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "apps/json_fields.h"

namespace juggler {

std::string host_line(const nlohmann::json& host) {
  std::vector<std::string> parts;
  const auto share = [&](const char* key, const char* name) {
    if (const auto permille = integer_of(host, key)) {
      parts.push_back(fmt::format("{} {} %", name, (*permille + 5) / 10));
    }
  };
  share("cpu_load_permille", "CPU");
  share("gpu_load_permille", "GPU");
  if (const auto awake = integer_of(host, "dla_active"); awake.value_or(0) > 0) {
    parts.push_back(fmt::format("{} DLA awake", *awake));
  }
  if (const auto heat = integer_of(host, "temperature_millicelsius")) {
    parts.push_back(fmt::format("{:.1f} C", static_cast<double>(*heat) / 1000));
  }
  if (const auto power = integer_of(host, "power_mw")) {
    std::string scope = text_of(host, "power_scope");
    std::replace(scope.begin(), scope.end(), '-', ' ');
    parts.push_back(fmt::format("{:.2f} W ({}, {})", static_cast<double>(*power) / 1000,
                                text_of(host, "power_evidence"), scope));
  }
  if (const auto charge = integer_of(host, "battery_permille")) {
    parts.push_back(fmt::format("battery {} %{}", (*charge + 5) / 10,
                                flag_of(host, "battery_charges") ? ", supplied" : ""));
  }
  if (const std::string mode = text_of(host, "power_mode"); !mode.empty()) {
    parts.push_back("mode " + mode);
  }
  const auto pressure = integer_of(host, "memory_pressure_permille");
  if (pressure.value_or(0) >= 10) {  // below, nobody waits for memory to speak of
    share("memory_pressure_permille", "memory pressure");
  }
  if (flag_of(host, "throttled")) {
    parts.emplace_back("throttled");
  }
  if (flag_of(host, "under_voltage")) {
    parts.emplace_back("under-voltage");
  }
  std::string line = fmt::format("{}", fmt::join(parts, ", "));
  const auto age = integer_of(host, "age_us");
  if (!line.empty() && age.has_value()) {
    line += fmt::format("; {:.1f} s old", static_cast<double>(*age) / 1e6);
  }
  return line;
}

}  // namespace juggler
