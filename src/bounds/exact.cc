#include "bounds/exact.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace juggler::bounds {
namespace {

using TaskMask = std::uint32_t;

// One way to have served a set of tasks on one processor; earlier or cheaper, never both worse.
struct Served {
  std::int64_t free_us = 0;  // when the processor is free again
  double energy_uj = 0.0;
};

void keep(std::vector<Served>& front, Served one) {
  const auto no_worse = [](const Served& a, const Served& b) {
    return a.free_us <= b.free_us && a.energy_uj <= b.energy_uj;
  };
  if (std::any_of(front.begin(), front.end(), [&](const Served& s) { return no_worse(s, one); })) {
    return;
  }
  std::erase_if(front, [&](const Served& s) { return no_worse(one, s); });
  front.push_back(one);
}

// What the tasks of a mask have in common as a batch.
struct Batch {
  std::int64_t released_us = 0;
  std::int64_t deadline_us = std::numeric_limits<std::int64_t>::max();
  std::vector<const Option*> options;  // of its size, that every one of them admits
};

std::vector<Batch> batches_of(const ProcessorGroup& group, std::span<const Demand> demands,
                              std::span<const Arrival> arrivals) {
  const std::size_t masks = std::size_t{1} << arrivals.size();
  std::vector<Batch> batches(masks);
  for (TaskMask mask = 1; mask < masks; ++mask) {
    Batch& batch = batches[mask];
    for (std::size_t a = 0; a < arrivals.size(); ++a) {
      if (((mask >> a) & 1U) != 0) {
        batch.released_us = std::max(batch.released_us, arrivals[a].at.us);
        batch.deadline_us = std::min(batch.deadline_us, arrivals[a].deadline.us);
      }
    }
    for (const Option& option : group.options) {
      bool fits = option.batch == std::popcount(mask);
      for (std::size_t a = 0; fits && a < arrivals.size(); ++a) {
        Requirements wanted = demands[arrivals[a].demand].requirements;
        wanted.deadline.reset();
        fits = ((mask >> a) & 1U) == 0 || may_serve(group, option, wanted);
      }
      if (fits) {
        batch.options.push_back(&option);
      }
    }
  }
  return batches;
}

// The least energy to serve exactly each set of tasks on one processor of the group.
std::vector<double> one_processor(const ProcessorGroup& group, std::span<const Demand> demands,
                                  std::span<const Arrival> arrivals) {
  const std::vector<Batch> batches = batches_of(group, demands, arrivals);
  std::vector<std::vector<Served>> fronts(batches.size());
  fronts[0].push_back({std::numeric_limits<std::int64_t>::min(), 0.0});
  std::vector<double> least(batches.size(), std::numeric_limits<double>::infinity());
  least[0] = 0.0;
  for (TaskMask mask = 1; mask < batches.size(); ++mask) {
    for (TaskMask last = mask; last != 0; last = (last - 1) & mask) {
      const Batch& batch = batches[last];
      for (const Served& before : fronts[mask & ~last]) {
        const std::int64_t start = std::max(before.free_us, batch.released_us);
        for (const Option* option : batch.options) {
          const std::int64_t end = start + option->latency.count;
          if (end + group.network.count <= batch.deadline_us) {
            keep(fronts[mask], {end, before.energy_uj + option->energy_uj});
          }
        }
      }
    }
    for (const Served& served : fronts[mask]) {
      least[mask] = std::min(least[mask], served.energy_uj);
    }
  }
  return least;
}

}  // namespace

Result<std::int64_t> exact_energy(std::span<const ProcessorGroup> groups,
                                  std::span<const Demand> demands,
                                  std::span<const Arrival> arrivals, double drop_share) {
  std::int64_t processors = 0;
  for (const ProcessorGroup& group : groups) {
    processors += group.count;
  }
  if (arrivals.size() > kExactTasksMax || processors > kExactProcessorsMax) {
    return fail(ErrorCode::TooLarge,
                fmt::format("exact schedule: at most {} tasks on {} processors; use the bound",
                            kExactTasksMax, kExactProcessorsMax));
  }
  const std::size_t masks = std::size_t{1} << arrivals.size();
  std::vector<double> best(masks, std::numeric_limits<double>::infinity());
  best[0] = 0.0;
  for (const ProcessorGroup& group : groups) {
    const std::vector<double> one = one_processor(group, demands, arrivals);
    for (std::int64_t p = 0; p < group.count; ++p) {
      std::vector<double> with = best;
      for (TaskMask mask = 1; mask < masks; ++mask) {
        for (TaskMask part = mask; part != 0; part = (part - 1) & mask) {
          with[mask] = std::min(with[mask], best[mask & ~part] + one[part]);
        }
      }
      best = std::move(with);
    }
  }
  const auto count = static_cast<double>(arrivals.size());
  const int served_min = static_cast<int>(std::ceil(count - count * drop_share - 1e-9));
  double least = std::numeric_limits<double>::infinity();
  for (TaskMask mask = 0; mask < masks; ++mask) {
    if (std::popcount(mask) >= served_min) {
      least = std::min(least, best[mask]);
    }
  }
  if (!std::isfinite(least)) {
    return fail(ErrorCode::Unsupported, "exact schedule: no schedule serves enough of the tasks");
  }
  return std::llround(std::ceil(least));
}

}  // namespace juggler::bounds
