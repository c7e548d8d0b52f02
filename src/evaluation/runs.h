#pragma once
// Many runs at once, each with its bound.

#include <vector>

#include "core/result.h"
#include "evaluation/parallel.h"
#include "evaluation/run.h"

namespace juggler::evaluation {

// Runs all of them, in the order of the requests, on as many threads as the options say. Before
// them it computes the hindsight bound of each scenario that some request asks for, once.
//
// After a stop, what was not finished is left out.
// errors  the first that a run has
Result<std::vector<Run>> run_all(std::vector<RunRequest> requests, const ParallelOptions& options);

// `seeds` scenarios, with the seeds that follow on the choice's.
//
// errors  as seeded()
Result<std::vector<SeededScenario>> seeded_range(const Scenario& scenario, SeedChoice choice,
                                                 std::size_t seeds);

// What one hindsight bound may take of solving.
inline constexpr double kBoundSecondsMax = 120.0;

}  // namespace juggler::evaluation
