#pragma once
// The least energy that any scheduler needs for the tasks of a run: what its energy is held
// against.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sim/metrics.h"
#include "sim/scenario.h"

namespace juggler::evaluation {

enum class BoundKind { None, Fluid, Hindsight };

std::string_view to_string(BoundKind kind);
std::optional<BoundKind> parse_bound_kind(std::string_view name);

struct RunBound {
  BoundKind kind = BoundKind::None;
  std::int64_t energy_uj = 0;  // of all tasks that must be served, above idle, at the board's input
  double drop_share = 0.0;     // of the tasks, allowed to be left out
  std::int64_t fluid_uj = 0;   // the fluid bound beside it
  bool converged = true;       // else it could be higher with more time
};

// Of the fluid programme for as many tasks of each class as the run was offered, over the time in
// which they could be served, by what is really true of the devices. It may leave out as many tasks
// as the run did not complete in time.
//
// errors  Unsupported: nothing was completed in time; the programme has no solution, or an energy
//         is unknown
Result<RunBound> fluid_bound(const Scenario& scenario, const sim::RunResult& result);

// Of the hindsight programme for the very arrivals of the scenario after its warm-up, of which it
// may leave out one in a hundred. The same for every policy, and a bound only for runs that
// completed at least as many in time.
//
// Takes up to `seconds_max` of solving.
// errors  as fluid_bound; a trace that cannot be read
Result<RunBound> hindsight_bound(const Scenario& scenario, double seconds_max);

inline constexpr double kHindsightDropShare = 0.01;

// Whether a bound says anything about a run.
bool applies(const RunBound& bound, const sim::RunResult& result);

// How many times the bound a run took.
double ratio_to(const RunBound& bound, const sim::RunResult& result);

}  // namespace juggler::evaluation
