#pragma once
// Capacity planning: the cheapest fleet that serves a demand with headroom. The fluid programme
// with the number of boards of each kind as whole numbers, solved by branch and bound.
//
// The fluid programme has no queues and no deadlines but the service time's: the headroom stands
// for them, and a plan is to be checked by simulation. What a given fleet holds is
// fluid_capacity() with the same utilisation.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bounds/supply.h"
#include "core/result.h"

namespace juggler::bounds {

// A kind of board that may be bought.
struct BoardOffer {
  const DeviceFacts* facts = nullptr;  // of one such device
  Micros network;                      // both ways
  double price = 0.0;                  // of one, in any currency
  std::int64_t count_min = 0;          // there already, or wanted anyway; paid for like the others
  std::int64_t count_max = 100;
};

struct PlanTerms {
  double utilisation_max = 0.8;  // of each processor's time
  // Energy counts over this time, idle and marginal, at the board's input. 0: only prices count.
  double years = 0.0;
  double price_per_kwh = 0.0;
  int nodes_max = 5'000;  // of the search
  double seconds_max = 60.0;
};

// So much of a demand runs as this variant in such batches on all boards of an offer together.
struct PlanFlow {
  std::uint32_t demand = 0;
  std::uint32_t offer = 0;
  std::string processor;
  std::string variant;
  int batch = 1;
  std::int64_t rate_uhz = 0;  // tasks per second, in millionths
};

struct FleetPlan {
  std::vector<std::int64_t> counts;      // by offer
  std::int64_t cost_millionths = 0;      // of the currency: prices, and energy where it counts
  std::int64_t cost_min_millionths = 0;  // no plan costs less: the proof of how good this one is
  std::int64_t power_marginal_uw = 0;    // least marginal power of this fleet; 0 if not known
  std::int64_t power_idle_uw = 0;        // at the board's input; of the boards whose idle is known
  std::int64_t scale_ppm = 0;            // how much the rates could grow, at the same headroom
  std::vector<PlanFlow> flows;
  std::int64_t nodes = 0;  // programmes solved
};

// errors  Unsupported: all boards on offer together cannot serve it, or a figure that energy costs
//         need is unknown. InvalidArgument: bad rates, prices or counts.
Result<FleetPlan> plan_fleet(std::span<const BoardOffer> offers, std::span<const Demand> demands,
                             const PlanTerms& terms = {});

}  // namespace juggler::bounds
