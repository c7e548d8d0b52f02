#include "runtime/host_json.h"

#include <nlohmann/json.hpp>

namespace juggler {

using nlohmann::json;

json host_json(const HostSample& host) {
  json entry = json::object();
  const auto put = [&entry](const char* key, const auto& value) {
    if (value.has_value()) {
      entry[key] = *value;
    }
  };
  put("cpu_load_permille", host.cpu_load_permille);
  put("temperature_millicelsius", host.temperature_millicelsius);
  put("memory_pressure_permille", host.memory_pressure_permille);
  put("gpu_load_permille", host.gpu_load_permille);
  put("gpu_clock_hz", host.gpu_clock_hz);
  put("dla_active", host.dla_active);
  put("throttled", host.throttled);
  put("under_voltage", host.under_voltage);
  put("received_bytes_per_s", host.received_bytes_per_s);
  put("sent_bytes_per_s", host.sent_bytes_per_s);
  put("battery_permille", host.battery_permille);
  put("battery_charges", host.battery_charges);
  if (host.power.has_value()) {
    entry["power_mw"] = host.power->value.count;
    entry["power_scope"] = to_string(host.power->scope);
    entry["power_evidence"] = to_string(host.power->evidence);
  }
  if (!host.power_mode.empty()) {
    entry["power_mode"] = host.power_mode;
  }
  if (host.age.has_value()) {
    entry["age_us"] = host.age->count;
  }
  return entry;
}

}  // namespace juggler
