#pragma once
// Small fleets whose bounds can be worked out by hand.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bounds/supply.h"
#include "core/device.h"
#include "support/builders.h"

namespace juggler::test {

// What a batch of b costs: fixed + b x each, in microseconds and microjoules.
struct Affine {
  std::int64_t fixed = 0;
  std::int64_t each = 0;

  std::int64_t at(int batch) const { return fixed + each * batch; }
};

struct VariantCost {
  std::string variant;
  double accuracy = 75.0;
  Affine latency_us;
  Affine energy_uj;
};

// A device "id" with one processor that runs these variants in batches of up to `batch_max`.
inline DeviceFacts affine_device(const std::string& id, int batch_max,
                                 const std::vector<VariantCost>& costs) {
  DeviceBuilder builder(id);
  for (const VariantCost& cost : costs) {
    builder.serves(variant(cost.variant, cost.accuracy), {1});
  }
  DeviceFacts facts = builder.build();
  Processor& processor = facts.processors.front();
  processor.batch_max = batch_max;
  for (const VariantCost& cost : costs) {
    for (Profile& profile : processor.profiles) {
      if (profile.variant != cost.variant) {
        continue;
      }
      profile.points.clear();
      for (int batch = 1; batch <= batch_max; ++batch) {
        ProfilePoint point;
        point.batch = batch;
        point.latency_mean = {cost.latency_us.at(batch)};
        point.latency_p95 = point.latency_mean;
        EnergyFigure energy;
        energy.value = energy.low = energy.high = Microjoules{cost.energy_uj.at(batch)};
        point.energy = energy;
        profile.points.push_back(point);
      }
    }
  }
  return facts;
}

inline bounds::Demand demand(double rate_hz, double min_accuracy = 0.0,
                             std::optional<Micros> deadline = std::nullopt) {
  bounds::Demand result;
  result.rate_hz = rate_hz;
  result.requirements.min_accuracy = MilliPercent{static_cast<std::int64_t>(min_accuracy * 1000.0)};
  result.requirements.deadline = deadline;
  return result;
}

}  // namespace juggler::test
