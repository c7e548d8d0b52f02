#pragma once
// The fluid programme: tasks as rates that may be divided at will over processors, variants and
// batch sizes. It gives the capacity of a fleet for a mix, and a first lower bound on energy.
//
// What it leaves out only helps: nothing waits, every batch is full at once, a processor is busy
// all the time; links carry their full bandwidth of payloads. So no schedule serves more in the
// long run, or the same for less energy. Latencies and energies are the means of the profiles.
// docs/bounds.md has the programme.

#include <cstdint>
#include <span>
#include <vector>

#include "bounds/supply.h"
#include "core/result.h"

namespace juggler::bounds {

struct FluidTerms {
  double drop_share = 0.0;       // of all tasks together: these may be left out
  double utilisation_max = 1.0;  // of each processor's time
};

// How much of a demand one way to run it serves.
struct Flow {
  std::uint32_t demand = 0;   // index of the demand
  std::uint32_t group = 0;    // index of the processor group
  std::uint32_t option = 0;   // index into its options
  std::int64_t rate_uhz = 0;  // tasks per second, in millionths

  friend bool operator==(const Flow&, const Flow&) = default;
};

// Integers, rounded from what the solver returned.
struct FluidResult {
  // fluid_energy: the marginal energy per second at the board's input, rounded down. Recomputed
  // from the prices by weak duality, so that the solver's tolerance cannot lift it.
  std::int64_t power_uw = 0;
  // fluid_capacity: the factor by which all rates can grow, in millionths.
  std::int64_t scale_ppm = 0;
  // What one more second of processor time per second would save, per group: its shadow price.
  std::vector<std::int64_t> price_uw;
  std::vector<std::int64_t> busy_ppm;  // share of its time that each group is used
  std::vector<Flow> flows;             // sorted; those of less than a task in 1,000 s are left out
};

// The least marginal energy per second at which the demands can be served.
//
// errors  Unsupported: the fleet cannot serve it (and which demand no device may serve, or that it
//         is too much), or the energy of a usable option is unknown. InvalidArgument: bad rates.
Result<FluidResult> fluid_energy(std::span<const ProcessorGroup> groups,
                                 std::span<const Demand> demands, const FluidTerms& terms = {});

// The largest factor by which the fleet can serve all rates at once.
//
// errors  as fluid_energy, but energies need not be known.
Result<FluidResult> fluid_capacity(std::span<const ProcessorGroup> groups,
                                   std::span<const Demand> demands, const FluidTerms& terms = {});

}  // namespace juggler::bounds
