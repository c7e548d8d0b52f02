#include "evaluation/run.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/policies/policy.h"
#include "evaluation/demand.h"
#include "evaluation/expectations.h"
#include "evaluation/proteus.h"
#include "sim/fleet.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace juggler::evaluation {
namespace {

// The rates become shares of this load.
void set_load(Scenario& scenario, double load) {
  for (DemandClass& demand : scenario.classes) {
    demand.arrivals.rate = {.hz = 0.0, .load = load * demand.share};
  }
}

void shorten(Scenario& scenario, Micros duration) {
  scenario.duration = duration;
  scenario.warm_up = std::min(scenario.warm_up, duration / 2);
  for (DemandClass& demand : scenario.classes) {
    demand.arrivals.until = std::min(demand.arrivals.until, duration);
    demand.arrivals.from = std::min(demand.arrivals.from, demand.arrivals.until);
  }
  std::erase_if(scenario.faults, [&](const Fault& fault) { return fault.at >= duration; });
}

// Ends the arrivals at a stop, so that the run ends soon.
sim::ArrivalSource stoppable(sim::ArrivalSource source, const std::function<bool()>& stop) {
  if (!stop) {
    return source;
  }
  return [source = std::move(source), stop]() -> std::optional<std::pair<Time, std::size_t>> {
    return stop() ? std::nullopt : source();
  };
}

}  // namespace

Result<SeededScenario> seeded(const Scenario& scenario, const SeedChoice& choice) {
  auto ours = std::make_shared<Scenario>(scenario);
  ours->seed = choice.seed;
  ours->drawn = scenario.drawn || choice.drawn;
  if (choice.load.has_value()) {
    set_load(*ours, *choice.load);
  }
  if (choice.duration.has_value() && *choice.duration < scenario.duration) {
    shorten(*ours, *choice.duration);
  }
  if (Result<void> resolved = resolve_loads(*ours); !resolved) {
    return resolved.error();
  }
  settle_truth(*ours);
  return SeededScenario(std::move(ours));
}

Result<Run> run_once(const RunRequest& request) {
  const Scenario& scenario = *request.scenario;
  const PolicyOptions options{
      request.goal.value_or(parse_goal(scenario.weights).value_or(PolicyOptions{}.goal))};
  if (Result<void> known = check_simulated_policy(request.policy); !known) {
    return known.error();
  }
  Result<Workload> workload = Workload::open(scenario);
  if (!workload) {
    return workload.error();
  }
  sim::WorldOptions world_options;
  world_options.seed = scenario.seed;
  world_options.policy = request.policy;
  Proteus proteus;
  if (request.policy == kProteus) {
    world_options.make_policy = [&] { return proteus.make_policy(); };
    world_options.meddler = &proteus;
  } else {
    world_options.make_policy = [&] { return std::move(*make_policy(request.policy, options)); };
  }
  world_options.arrivals = stoppable(sim::arrivals_of(std::move(*workload)), request.stop);
  world_options.check = request.check;
  world_options.time_decisions = true;

  Run run;
  run.scenario = request.scenario;
  run.policy = request.policy;
  run.result = sim::World(scenario, std::move(world_options)).run();
  run.finished = !request.stop || !request.stop();
  run.broken = broken_promises(scenario, run.result);
  if (request.hindsight) {
    run.bound = request.hindsight;
  } else if (request.bound != BoundKind::None) {
    if (Result<RunBound> bound = fluid_bound(scenario, run.result)) {
      run.bound = *bound;
    } else {
      run.bound_problem = bound.error().message;
    }
  }
  run.unmet = unmet(scenario, run.result, run.bound);
  return run;
}

}  // namespace juggler::evaluation
