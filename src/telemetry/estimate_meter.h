#pragma once
// No meter: a power estimated from the load of the cores, by a straight line that somebody fitted
// against a real meter. Only by choice, and marked as estimated with its coefficients' source.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "telemetry/host_files.h"
#include "telemetry/meter.h"

namespace juggler {

// Power = at_rest + per_load x u, where u is the share of (user, nice, system) in all but waiting.
struct LoadModel {
  Milliwatts at_rest;
  Milliwatts per_load;  // of all cores busy
  Milliwatts rmse;      // of the fit
  PowerScope scope = PowerScope::BoardInput;
  std::string source;

  friend bool operator==(const LoadModel&, const LoadModel&) = default;
};

// The file of a model: docs/energy.md.
Result<LoadModel> load_model(const std::filesystem::path& file);
Result<LoadModel> parse_load_model(std::string_view text, const std::string& origin);

// As such a file, which is replaced as a whole.
Result<void> save_load_model(const LoadModel& model, const std::filesystem::path& file);

// What a calibration saw at one level of load.
struct LoadPoint {
  double load = 0.0;  // 0 to 1
  double watts = 0.0;
};
// The straight line of least squares.
//
// errors  InvalidArgument: fewer than three points, or all of one load. Unsupported: R2 below 0.9
Result<LoadModel> fit_load_model(std::span<const LoadPoint> points, PowerScope scope,
                                 std::string source);

std::unique_ptr<PowerMeter> make_estimate_meter(HostFiles& host, LoadModel model);

}  // namespace juggler
