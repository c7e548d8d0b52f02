#include "evaluation/demand.h"

#include <algorithm>

#include "bounds/fluid.h"

namespace juggler::evaluation {
namespace {

// The least that a way there and back takes: three standard deviations of its jitter below the
// median.
Micros least_network(const NetworkProfile& network) {
  return std::max(Micros{}, network.rtt - network.jitter * 3);
}

}  // namespace

std::vector<bounds::SupplyDevice> supply_of(const Scenario& scenario, FactsKind kind) {
  std::vector<bounds::SupplyDevice> supply;
  supply.reserve(scenario.devices.size());
  for (const ScenarioDevice& device : scenario.devices) {
    supply.push_back({.facts = kind == FactsKind::Truth ? &device.truth : &device.announced,
                      .network = least_network(device.network),
                      .count = 1,
                      .bandwidth_kbits = device.network.bandwidth_kbits});
  }
  return supply;
}

std::vector<bounds::Demand> demands_of(const Scenario& scenario) {
  std::vector<bounds::Demand> demands;
  for (const DemandClass& demand : scenario.classes) {
    Requirements wanted = demand.requirements;
    if (!wanted.deadline.has_value()) {
      wanted.deadline = scenario.controller.deadline;
    }
    if (!wanted.min_accuracy.has_value()) {
      wanted.min_accuracy = scenario.controller.min_accuracy;
    }
    if (!wanted.max_energy.has_value()) {
      wanted.max_energy = scenario.controller.max_energy;
    }
    demands.push_back(
        {.requirements = std::move(wanted), .rate_hz = demand.share, .payload = demand.payload});
  }
  return demands;
}

Result<double> capacity_hz(const Scenario& scenario) {
  const std::vector<bounds::SupplyDevice> supply = supply_of(scenario, FactsKind::Announced);
  const std::vector<bounds::Demand> demands = demands_of(scenario);
  double rate_hz = 0.0;
  for (const bounds::Demand& demand : demands) {
    rate_hz += demand.rate_hz;
  }
  const Result<bounds::FluidResult> fluid =
      bounds::fluid_capacity(bounds::group_processors(supply), demands);
  if (!fluid) {
    return fluid.error();
  }
  return rate_hz * static_cast<double>(fluid->scale_ppm) / 1e6;
}

Result<void> resolve_loads(Scenario& scenario) {
  if (!needs_capacity(scenario)) {
    return {};
  }
  const Result<double> capacity = capacity_hz(scenario);
  if (!capacity) {
    return capacity.error();
  }
  scale_rates(scenario, *capacity);
  return {};
}

}  // namespace juggler::evaluation
