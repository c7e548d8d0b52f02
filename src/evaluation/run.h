#pragma once
// One run of the simulator for an evaluation: a scenario with its seed, under a policy.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/objective.h"
#include "core/result.h"
#include "evaluation/bound.h"
#include "sim/metrics.h"
#include "sim/scenario.h"

namespace juggler::evaluation {

// The scenario of one seed, ready to run: rates in Hz, truths settled. Shared by the runs of all
// policies, which only read it.
using SeededScenario = std::shared_ptr<const Scenario>;

// What a caller changes in a scenario.
struct SeedChoice {
  std::uint64_t seed = 1;
  bool drawn = false;                // also where the file does not say so
  std::optional<double> load{};      // in place of the file's rates, in the same proportions
  std::optional<Micros> duration{};  // where the file's is longer: of arrivals, warm-up included
};

// errors  Unsupported: a load where no capacity can be computed
Result<SeededScenario> seeded(const Scenario& scenario, const SeedChoice& choice);

struct RunRequest {
  SeededScenario scenario;
  std::string policy = "juggler";
  std::optional<Goal> goal{};  // in place of the scenario's weights
  bool check = false;          // the invariants, at every step
  BoundKind bound = BoundKind::Fluid;
  std::optional<RunBound> hindsight{};  // of the scenario's seed, computed once for all policies
  std::function<bool()> stop{};         // asked at each arrival; may be empty
};

struct Run {
  std::size_t number = 0;  // of its request, where several were made
  SeededScenario scenario;
  std::string policy;
  sim::RunResult result;
  std::optional<RunBound> bound{};
  std::string bound_problem{};        // why there is none
  std::vector<std::string> broken{};  // promises
  std::vector<std::string> unmet{};   // expectations
  bool finished = false;              // else it was stopped, and nothing of it counts

  bool well() const { return finished && broken.empty() && unmet.empty(); }
};

// errors  file, line and reason of a trace that cannot be read; a policy that there is not
Result<Run> run_once(const RunRequest& request);

}  // namespace juggler::evaluation
