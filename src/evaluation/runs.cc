#include "evaluation/runs.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace juggler::evaluation {
namespace {

// The scenarios whose hindsight bound somebody asks for, each once.
std::vector<SeededScenario> to_bound(const std::vector<RunRequest>& requests) {
  std::vector<SeededScenario> scenarios;
  for (const RunRequest& request : requests) {
    if (request.bound == BoundKind::Hindsight &&
        std::find(scenarios.begin(), scenarios.end(), request.scenario) == scenarios.end()) {
      scenarios.push_back(request.scenario);
    }
  }
  return scenarios;
}

}  // namespace

Result<std::vector<Run>> run_all(std::vector<RunRequest> requests, const ParallelOptions& options) {
  const std::vector<SeededScenario> scenarios = to_bound(requests);
  std::vector<std::optional<Result<RunBound>>> bounds(scenarios.size());
  std::vector<std::optional<Result<Run>>> slots(requests.size());
  // The bounds come first: what they are for needs them.
  ParallelOptions shifted = options;
  const std::size_t all = scenarios.size() + requests.size();
  shifted.progress = [&](const Progress& progress) {
    if (options.progress) {
      options.progress({progress.done, all, 0.0});
    }
  };
  for_each_index(scenarios.size(), shifted, [&](std::size_t i) {
    bounds[i] = hindsight_bound(*scenarios[i], kBoundSecondsMax);
  });
  for (RunRequest& request : requests) {
    const auto at = std::find(scenarios.begin(), scenarios.end(), request.scenario);
    const auto index = static_cast<std::size_t>(at - scenarios.begin());
    if (at != scenarios.end() && bounds[index] && bounds[index]->has_value()) {
      request.hindsight = **bounds[index];
    }
    request.stop = options.stop;
  }
  shifted.progress = [&](const Progress& progress) {
    if (options.progress) {
      options.progress({progress.done + scenarios.size(), all, progress.seconds_left});
    }
  };
  for_each_index(requests.size(), shifted,
                 [&](std::size_t i) { slots[i] = run_once(requests[i]); });

  std::vector<Run> runs;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::optional<Result<Run>>& slot = slots[i];
    if (slot && !*slot) {
      return slot->error();
    }
    if (slot && (*slot)->finished) {
      runs.push_back(std::move(**slot));
      runs.back().number = i;
    }
  }
  return runs;
}

Result<std::vector<SeededScenario>> seeded_range(const Scenario& scenario, SeedChoice choice,
                                                 std::size_t seeds) {
  std::vector<SeededScenario> scenarios;
  for (std::size_t i = 0; i < seeds; ++i) {
    Result<SeededScenario> one = seeded(scenario, choice);
    if (!one) {
      return one.error();
    }
    scenarios.push_back(std::move(*one));
    choice.seed += 1;
  }
  return scenarios;
}

}  // namespace juggler::evaluation
