// Fuzzes scenario files. What is accepted keeps its bounds, and its arrivals come in order.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <spdlog/spdlog.h>

#include "core/check.h"
#include "sim/scenario_file.h"
#include "sim/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (spdlog::set_level(spdlog::level::off), true);
  static_cast<void>(quiet);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  juggler::Result<juggler::Scenario> scenario = juggler::parse_scenario(text, "s.toml", "");
  if (!scenario) {
    return 0;
  }
  JUGGLER_CHECK(
      !scenario->devices.empty() && scenario->devices.size() <= juggler::kScenarioDevicesMax,
      "a fleet beyond its bounds");
  for (const juggler::ScenarioDevice& device : scenario->devices) {
    JUGGLER_CHECK(juggler::validate(device.announced).has_value(), "a device that no hello says");
  }
  double shares = 0.0;
  for (const juggler::DemandClass& demand : scenario->classes) {
    shares += demand.share;
  }
  JUGGLER_CHECK(std::fabs(shares - 1.0) < 1e-6, "shares that are not one whole");
  if (juggler::needs_capacity(*scenario)) {
    juggler::scale_rates(*scenario, 100.0);
  }
  juggler::Result<juggler::Workload> workload = juggler::Workload::open(*scenario);
  JUGGLER_CHECK(workload.has_value(), "arrivals that cannot be drawn");
  juggler::Time last;
  for (int i = 0; i < 1000; ++i) {
    const auto arrival = workload->next();
    if (!arrival.has_value()) {
      break;
    }
    JUGGLER_CHECK(arrival->at >= last && arrival->at.us < scenario->duration.count,
                  "an arrival out of order or time");
    last = arrival->at;
  }
  return 0;
}
