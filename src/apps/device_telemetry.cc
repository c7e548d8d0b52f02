#include "apps/device_telemetry.h"

#include <fmt/format.h>

#include "telemetry/metered_engine.h"

namespace juggler {

DeviceTelemetry::DeviceTelemetry(std::string host_root)
    : host_root_(std::move(host_root)), files_(host_root_) {}

Result<std::unique_ptr<DeviceTelemetry>> DeviceTelemetry::open(const std::string& host_root,
                                                               const std::string& meter) {
  std::unique_ptr<DeviceTelemetry> opened(new DeviceTelemetry(host_root));
  const Discovery found = discover(opened->files_, opened->own_);
  if (found.family == BoardFamily::RaspberryPi) {
    opened->mailbox_ = make_mailbox();
  }
  Result<MeterChoice> choice =
      choose_meter(meter, found, opened->files_, opened->mailbox_.get(), system_nvml());
  if (!choice) {
    return choice.error();
  }
  opened->choice_ = std::move(*choice);
  return opened;
}

void DeviceTelemetry::start() {
  host_.emplace(HostSampler::Options{.host_root = host_root_});
  if (choice_.meter != nullptr) {
    meter_ = std::make_unique<EnergyMeter>(std::move(choice_.meter), clock_);
  }
}

void DeviceTelemetry::meter(std::map<std::string, std::unique_ptr<InferenceEngine>>& engines) {
  if (meter_ == nullptr) {
    return;
  }
  for (auto& [processor, engine] : engines) {
    engine = make_metered_engine(std::move(engine), processor, *meter_);
  }
}

std::unique_ptr<RunMeter> DeviceTelemetry::run_meter() {
  return meter_ != nullptr ? make_run_meter(source_of(*meter_, clock_)) : nullptr;
}

HostSample DeviceTelemetry::summary() const {
  HostSample summary = host_.has_value() ? host_->summary() : HostSample{};
  if (meter_ != nullptr) {
    summary.power = meter_->power();
  }
  return summary;
}

std::string DeviceTelemetry::about_meter() const {
  const MeterFacts* facts = meter_ != nullptr          ? &meter_->facts()
                            : choice_.meter != nullptr ? &choice_.meter->facts()
                                                       : nullptr;
  if (facts == nullptr) {
    return "power meter: none; " + choice_.why;
  }
  return fmt::format("power meter: {}, {}, {}{}", facts->name, to_string(facts->evidence),
                     to_string(facts->scope), facts->source.empty() ? "" : ", by " + facts->source);
}

}  // namespace juggler
