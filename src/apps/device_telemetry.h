#pragma once
// What a device measures of itself: its machine once a second, and its meter, whose energy goes to
// the batches that ran.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/host_sample.h"
#include "core/result.h"
#include "runtime/clock.h"
#include "runtime/engine.h"
#include "telemetry/choose_meter.h"
#include "telemetry/energy_meter.h"
#include "telemetry/host_sampler.h"
#include "telemetry/run_meter.h"

namespace juggler {

// thread  the owner's
class DeviceTelemetry {
 public:
  // Finds out what is there; nothing is sampled yet.
  //
  // errors  as choose_meter()
  static Result<std::unique_ptr<DeviceTelemetry>> open(const std::string& host_root,
                                                       const std::string& meter);

  // From here on it samples. What runs before would count as idle: a calibration, say.
  void start();
  // The engines by processor, each behind one that reports what the meter saw. It outlives them.
  void meter(std::map<std::string, std::unique_ptr<InferenceEngine>>& engines);
  // For `juggler profile`, after the start; null where there is no meter. It outlives that.
  std::unique_ptr<RunMeter> run_meter();
  // For heartbeats. Empty before the start.
  HostSample summary() const;
  // Which meter there is, or why there is none.
  std::string about_meter() const;

 private:
  explicit DeviceTelemetry(std::string host_root);

  std::string host_root_;
  SystemClock clock_;
  DiskFiles files_;  // the meter's alone: it reads on a thread of its own
  DiskFiles own_;
  std::unique_ptr<Mailbox> mailbox_;
  MeterChoice choice_;
  std::optional<HostSampler> host_;
  std::unique_ptr<EnergyMeter> meter_;
};

}  // namespace juggler
