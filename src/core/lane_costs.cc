#include "core/lane_costs.h"

#include <algorithm>

#include "core/check.h"
#include "core/profile_point.h"

namespace juggler {
namespace {

constexpr std::int64_t kNormalP95Permille = 1645;

BatchCost cost_of(const Profile& profile, int tasks, const ScopeConversion& to_board_input) {
  const ProfilePoint point = point_at(profile, tasks);
  BatchCost cost;
  cost.load = profile.load;
  cost.mean = point.latency_mean;
  cost.spread = (point.latency_p95 - point.latency_mean) * 1000 / kNormalP95Permille;
  if (const auto energy = at_board_input(point.energy, to_board_input)) {
    cost.energy = energy->value;
    cost.energy_high = energy->high;
  }
  return cost;
}

// Fills in what follows from the costs by size.
void add_least(ProfileCosts& costs) {
  LeastShare least;
  for (int tasks = 1; tasks <= costs.batch_max(); ++tasks) {
    const BatchCost& batch = costs.of(tasks);
    const Micros mean = batch.mean / tasks;
    const Microjoules energy = batch.energy.value_or(Microjoules{0}) / tasks;
    least.mean = tasks == 1 ? mean : std::min(least.mean, mean);
    least.energy = tasks == 1 ? energy : std::min(least.energy, energy);
    least.energy_known = least.energy_known || batch.energy.has_value();
    costs.least.push_back(least);
  }
}

// A device may run several batches together that were sent one by one: the largest counts too.
std::optional<Milliwatts> power_of(const Profile& profile, int batch_max,
                                   const ScopeConversion& to_board_input) {
  Milliwatts most;
  for (int tasks = 1; tasks <= batch_max; ++tasks) {
    const ProfilePoint point = point_at(profile, tasks);
    const std::optional<EnergyFigure> energy = at_board_input(point.energy, to_board_input);
    if (!energy.has_value()) {
      return std::nullopt;
    }
    const std::int64_t time_us = std::max<std::int64_t>(point.latency_mean.count, 1);
    most = std::max(most, Milliwatts{(energy->high.count * 1000 + time_us - 1) / time_us});
  }
  return most;
}

}  // namespace

LaneCosts costs_of(const DeviceFacts& facts, const Processor& processor) {
  LaneCosts costs;
  for (const Profile& profile : processor.profiles) {
    const Variant* variant = facts.find_variant(profile.variant);
    JUGGLER_CHECK(variant != nullptr, "validate() admitted a profile without its variant");
    ProfileCosts entry;
    entry.variant = static_cast<std::uint32_t>(variant - facts.variants.data());
    const int batch_max = std::clamp(processor.batch_max, 1, kPlannedBatchMax);
    for (int tasks = 1; tasks <= batch_max; ++tasks) {
      BatchCost cost = cost_of(profile, tasks, facts.to_board_input);
      if (tasks > 1) {
        const BatchCost& smaller = entry.by_tasks.back();
        cost.mean = std::max(cost.mean, smaller.mean);
        cost.spread = std::max(cost.spread, smaller.spread);
      }
      entry.by_tasks.push_back(std::move(cost));
    }
    add_least(entry);
    entry.power = power_of(profile, batch_max, facts.to_board_input);
    costs.push_back(std::move(entry));
  }
  return costs;
}

}  // namespace juggler
