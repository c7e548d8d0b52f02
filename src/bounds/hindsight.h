#pragma once
// A lower bound on the marginal energy of any schedule of these very arrivals, by somebody who
// knows them all beforehand.
//
// Programme: one column per batch that could be run (processor group, variant, size, start, tasks,
// each released by the start and within its deadline at the end); every task in a batch unless it
// is dropped; at no time more batches of a group than it has processors. Real schedules are the
// solutions in whole numbers, so the optimum in fractions is a lower bound.
//
// Why the number may be trusted: it is not the solver's objective. A price per task and per
// processor time, such that no possible batch holds tasks worth more than it costs (energy plus
// priced time), proves by weak duality that energy >= sum of the task prices less what the
// processor time is worth. The solver only proposes such prices, window by window; all batches are
// then checked against them here, and prices that are too high are lowered. So a time limit,
// a tolerance or a window's edge make the bound lower, never wrong. docs/bounds.md has the proof.
//
// Rounding that only relaxes: time is cut into slots, and a task's window is widened to their
// edges.

#include <cstdint>
#include <span>
#include <string_view>

#include "bounds/supply.h"
#include "core/result.h"

namespace juggler::bounds {

// One task: when it is released, and the end of its deadline. `demand` tells its requirements;
// their own deadline is not looked at.
struct Arrival {
  Time at;
  Time deadline;
  std::uint32_t demand = 0;
};

struct HindsightTerms {
  double drop_share = 0.0;      // of all tasks: these may be left unserved, or late
  double seconds_max = 120.0;   // of solving; what is left then has the fluid programme's prices
  int slots_per_deadline = 10;  // of the shortest deadline: more are tighter and dearer
  // Prices at most, about: with more tasks slots grow, to a fifth of the shortest deadline.
  std::int64_t sets_max = 12'000;
};

enum class BoundKind {
  Fluid,      // the fluid programme over the arrivals' span was the better one
  Hindsight,  // batches of these arrivals
};

enum class BoundStatus {
  Converged,  // within `gap_ppm` of the programme's optimum for its slots
  TimeLimit,  // some windows kept cruder prices: valid, but lower than it could be
};

struct HindsightResult {
  std::int64_t energy_uj =
      0;  // the bound: no schedule takes less. At the board's input, rounded down
  BoundKind kind = BoundKind::Hindsight;
  BoundStatus status = BoundStatus::Converged;
  std::int64_t fluid_uj = 0;  // the fluid bound over the same arrivals, beside it
  // How much the check lowered the prices that the solver proposed, in millionths of the bound.
  std::int64_t loss_ppm = 0;
  std::int64_t tasks = 0;
  std::int64_t dropped = 0;       // allowed to be left out, and left out of the sum
  std::int64_t unservable = 0;    // fit no batch at all; part of `dropped`
  std::int64_t hard_pressed = 0;  // tasks at the highest price: the fleet can hardly serve them
  std::int64_t slot_us = 0;
  std::int64_t columns = 0;  // batches that the solver was shown
  std::int64_t solver_iterations = 0;
};

std::string_view to_string(BoundKind kind);
std::string_view to_string(BoundStatus status);

// requires  arrivals sorted by time
// errors    Unsupported: more tasks than may be dropped fit no batch, or the fluid programme
// already
//           has no solution, or an energy is unknown. InvalidArgument: an arrival without a sane
//           deadline or demand; more than 64 demands.
Result<HindsightResult> hindsight_energy(std::span<const ProcessorGroup> groups,
                                         std::span<const Demand> demands,
                                         std::span<const Arrival> arrivals,
                                         const HindsightTerms& terms = {});

}  // namespace juggler::bounds
