#include <fmt/format.h>

#include "core/objective.h"
#include "core/policies/policy.h"
#include "sim/world.h"

namespace juggler::sim {

Result<RunResult> run_scenario(const Scenario& scenario, WorldOptions options) {
  PolicyOptions goal;
  if (!scenario.weights.empty()) {
    const std::optional<Goal> named = parse_goal(scenario.weights);
    if (!named.has_value()) {
      return fail(ErrorCode::NotFound, fmt::format("no goal is called '{}'", scenario.weights));
    }
    goal.goal = *named;
  }
  if (const auto policy = make_policy(scenario.policy, goal); !policy) {
    return policy.error();
  }
  Result<Workload> load = Workload::open(scenario);
  if (!load) {
    return load.error();
  }
  options.policy = scenario.policy;
  options.make_policy = [name = scenario.policy, goal] {
    return std::move(*make_policy(name, goal));
  };
  options.arrivals = arrivals_of(std::move(*load));
  World world(scenario, std::move(options));
  return world.run();
}

}  // namespace juggler::sim
