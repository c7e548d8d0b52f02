#pragma once
// What a scenario expects of a run, and the promises that every run must keep.

#include <optional>
#include <string>
#include <vector>

#include "evaluation/bound.h"
#include "sim/metrics.h"
#include "sim/scenario.h"

namespace juggler::evaluation {

// The figure that an expectation is about; nothing where the run has none.
std::optional<double> measure(Measure what, const Scenario& scenario, const sim::RunResult& result,
                              const std::optional<RunBound>& bound);

// One sentence for each expectation that is not met: "on_time_ratio_min = 0.97: 0.912".
std::vector<std::string> unmet(const Scenario& scenario, const sim::RunResult& result,
                               const std::optional<RunBound>& bound);

// One sentence for each promise that is broken: tasks lost, answered twice or in two ways, served
// below their floor, and what the checker complained of. A run that broke one has no figures.
//
// A second copy of the same outcome is none where a controller, the broker or a link failed.
std::vector<std::string> broken_promises(const Scenario& scenario, const sim::RunResult& result);

// Milliseconds after the last fault's end (or its start, where it stays) until at least 95 % of the
// on-time ratio before the first fault is back, in whole seconds: the run is kept by seconds.
// Nothing without a fault, without tasks before it, or where it never came back.
std::optional<double> recovery_ms(const Scenario& scenario, const sim::RunResult& result);

}  // namespace juggler::evaluation
