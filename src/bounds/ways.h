#pragma once
// The ways in which a demand may be served in the fluid programmes: seconds of processor time and
// energy per task.

#include <cstdint>
#include <span>
#include <vector>

#include "bounds/supply.h"
#include "core/result.h"

namespace juggler::bounds {

struct Way {
  std::uint32_t demand = 0;
  std::uint32_t group = 0;
  std::uint32_t option = 0;
  double seconds = 0.0;
  double energy_uj = 0.0;
  double kbits = 0.0;  // of payload over the group's link
};

// All ways in which demand number `d` may be served by group number `g`.
std::vector<Way> ways_of(const ProcessorGroup& group, std::uint32_t g, const Demand& demand,
                         std::uint32_t d);

// Keeps the ways on the lower left edge of (seconds, energy): no mixture of ways is worth more.
void keep_hull(std::vector<Way>& ways);

double total_rate(std::span<const Demand> demands);
// errors  a rate that is none, or none above 0
Result<void> check_rates(std::span<const Demand> demands);

Error unknown_energy(const ProcessorGroup& group, const Option& option);

}  // namespace juggler::bounds
