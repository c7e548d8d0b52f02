#include "apps/simulation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "apps/flags.h"
#include "apps/progress_line.h"
#include "apps/run_table.h"
#include "apps/simulation_flags.h"
#include "apps/version.h"
#include "evaluation/demand.h"
#include "evaluation/run_json.h"
#include "evaluation/runs.h"

namespace juggler {
namespace {

using evaluation::Run;
using nlohmann::json;

std::string heading(const Scenario& scenario, const SimulationChoice& choice,
                    const std::string& note) {
  std::string text = fmt::format("Simulated: {}", scenario.name);
  if (!scenario.about.empty()) {
    text += " (" + scenario.about + ")";
  }
  const Result<double> capacity = evaluation::capacity_hz(scenario);
  text +=
      fmt::format("\n{} devices, {:g} s{}; {} seed{} from {}", scenario.devices.size(),
                  static_cast<double>(scenario.duration.count) / 1e6,
                  capacity ? fmt::format(", capacity {:.1f} tasks/s", *capacity) : "", choice.seeds,
                  choice.seeds == 1 ? "" : "s", choice.seed.value_or(scenario.seed));
  return text + "\n" + note + "\n";
}

void print(const Scenario& scenario, const std::vector<Run>& runs, std::size_t asked,
           const SimulationChoice& choice, const std::string& note) {
  const Screen screen = screen_of(STDOUT_FILENO);
  fmt::print("{}{}", heading(scenario, choice, note), runs_text(runs, screen));
  fmt::print("{}", paragraph(fmt::format("\nmJ/task: above idle, at the boards' inputs, per "
                                         "completed task. x bound: against the {} bound.{}",
                                         choice.bound,
                                         choice.seeds > 1 ? " Intervals: 95 % over seeds." : ""),
                             screen));
  if (runs.size() < asked) {
    fmt::print("Stopped: {} of {} runs.\n", runs.size(), asked);
  }
}

// Expectations are about the scenario's own policy; where several are compared, they are not held
// against the others.
void forgive_others(const Scenario& scenario, std::vector<Run>& runs) {
  const auto other = [&](const Run& run) { return run.policy != runs.front().policy; };
  if (std::any_of(runs.begin(), runs.end(), other)) {
    for (Run& run : runs) {
      if (run.policy != scenario.policy) {
        run.unmet.clear();
      }
    }
  }
}

int report(const Scenario& scenario, const std::vector<Run>& runs, std::size_t asked,
           const SimulationChoice& choice, const std::string& note) {
  if (choice.json) {
    json list = json::array();
    for (const Run& run : runs) {
      list.push_back(evaluation::run_json(run));
    }
    const json document{{"scenario", scenario.name},
                        {"juggler", version_short()},
                        {"simulated", true},
                        {"complete", runs.size() == asked},
                        {"runs", std::move(list)}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print(scenario, runs, asked, choice, note);
  }
  const bool well =
      std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.well(); });
  return well && runs.size() == asked ? kExitDone : kExitFailed;
}

}  // namespace

int run_simulation(const Scenario& scenario, const SimulationChoice& choice,
                   const std::string& note) {
  const Result<std::vector<std::string>> policies = policies_named(choice.policies, scenario);
  const Result<std::optional<Goal>> goal = goal_named(choice.goal);
  const std::optional<evaluation::BoundKind> bound = evaluation::parse_bound_kind(choice.bound);
  if (!policies || !goal) {
    return complain(policies ? goal.error().message : policies.error().message, kExitUsage);
  }
  const auto seeds = evaluation::seeded_range(
      scenario,
      {.seed = choice.seed.value_or(scenario.seed), .drawn = choice.drawn, .load = choice.load},
      choice.seeds);
  if (!seeds) {
    return complain(seeds.error().message, kExitUsage);
  }
  std::vector<evaluation::RunRequest> requests;
  for (const std::string& policy : *policies) {
    for (const evaluation::SeededScenario& seeded : *seeds) {
      requests.push_back({.scenario = seeded,
                          .policy = policy,
                          .goal = *goal,
                          .check = choice.check,
                          .bound = *bound});
    }
  }
  const std::size_t asked = requests.size();
  auto runs = evaluation::run_all(std::move(requests), parallel_options(choice.jobs));
  end_progress();
  if (!runs) {
    return complain(runs.error().message, kExitUsage);
  }
  forgive_others(scenario, *runs);
  return report(scenario, *runs, asked, choice, note);
}

}  // namespace juggler
