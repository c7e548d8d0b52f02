#pragma once
// Random small instances for the bounds: fleets like real ones (a large fixed share, a slower and a
// more frugal kind), and arrivals with deadlines of a few service times.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bounds/hindsight.h"
#include "bounds/supply.h"
#include "core/rng.h"
#include "support/bounds_fleets.h"

namespace juggler::test {

struct SmallInstance {
  std::vector<DeviceFacts> devices;
  std::vector<std::int64_t> counts;
  std::vector<bounds::Demand> demands;
  std::vector<bounds::Arrival> arrivals;

  std::vector<bounds::ProcessorGroup> groups() const {
    std::vector<bounds::SupplyDevice> supply;
    for (std::size_t d = 0; d < devices.size(); ++d) {
      supply.push_back({&devices[d], Micros{500}, counts[d]});
    }
    return bounds::group_processors(supply);
  }
};

// Inclusive.
inline std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

// Up to `tasks` tasks on up to three processors.
inline SmallInstance small_instance(Rng& rng, int tasks) {
  SmallInstance instance;
  const std::int64_t kinds = between(rng, 1, 2);
  for (std::int64_t k = 0; k < kinds; ++k) {
    const std::int64_t service = between(rng, 2'000, 20'000);
    const std::int64_t energy = between(rng, 5'000, 100'000);
    const std::int64_t fixed = between(rng, 0, 7);  // tenths
    const auto split = [&](std::int64_t whole) {
      return Affine{whole * fixed / 10, whole - whole * fixed / 10};
    };
    instance.devices.push_back(
        affine_device("d" + std::to_string(k), static_cast<int>(between(rng, 1, 4)),
                      {{"large-fp16", 80.0, split(service * 2), split(energy * 2)},
                       {"small-fp16", 70.0, split(service), split(energy)}}));
    instance.counts.push_back(k == 0 ? between(rng, 1, 2) : 1);
  }
  instance.demands = {demand(1.0, 60.0), demand(1.0, 75.0)};
  const std::int64_t count = between(rng, 1, tasks);
  const std::int64_t span = between(rng, 5'000, 80'000);
  const std::int64_t deadline = between(rng, 20'000, 120'000);
  for (std::int64_t t = 0; t < count; ++t) {
    bounds::Arrival arrival;
    arrival.at = Time{between(rng, 0, span)};
    arrival.demand = static_cast<std::uint32_t>(between(rng, 0, 3) == 0 ? 1 : 0);
    arrival.deadline = arrival.at + Micros{deadline * (1 + arrival.demand)};
    instance.arrivals.push_back(arrival);
  }
  std::sort(instance.arrivals.begin(), instance.arrivals.end(),
            [](const bounds::Arrival& a, const bounds::Arrival& b) { return a.at < b.at; });
  return instance;
}

}  // namespace juggler::test
