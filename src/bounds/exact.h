#pragma once
// The least marginal energy of any schedule, exactly, for a handful of tasks: the yardstick of the
// bounds. Dynamic programming over sets of tasks; 3^n work, so n is small.

#include <cstdint>
#include <span>

#include "bounds/hindsight.h"
#include "bounds/supply.h"
#include "core/result.h"

namespace juggler::bounds {

inline constexpr std::size_t kExactTasksMax = 12;
inline constexpr std::int64_t kExactProcessorsMax = 4;

// A schedule: batches of one variant on one processor, none interrupted, each started when all its
// tasks are released and the processor is free, each finished within all its tasks' deadlines;
// latencies and energies are the profile's means. All but `drop_share` of the tasks are served.
//
// errors  TooLarge: more tasks or processors than the limits. Unsupported: no schedule serves them.
Result<std::int64_t> exact_energy(std::span<const ProcessorGroup> groups,
                                  std::span<const Demand> demands,
                                  std::span<const Arrival> arrivals, double drop_share = 0.0);

}  // namespace juggler::bounds
