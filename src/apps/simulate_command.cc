// `juggler simulate SCENARIO`: the production controller and consumers in virtual time.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "apps/commands.h"
#include "apps/progress_line.h"
#include "apps/run_table.h"
#include "apps/simulation_flags.h"
#include "apps/stop_signals.h"
#include "apps/version.h"
#include "evaluation/demand.h"
#include "evaluation/run_json.h"
#include "evaluation/runs.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

using evaluation::Run;
using nlohmann::json;

struct SimulateFlags {
  std::string scenario;
  std::string home;
  std::vector<std::string> policies;
  std::string goal;
  std::optional<std::uint64_t> seed;
  std::size_t seeds = 1;
  bool drawn = false;
  std::optional<double> load;
  std::string bound = "fluid";
  std::size_t jobs = 0;
  bool json = false;
  bool check = false;
  bool list = false;
};

std::string heading(const Scenario& scenario, const SimulateFlags& flags) {
  std::string text = fmt::format("Simulated: {}", scenario.name);
  if (!scenario.about.empty()) {
    text += " (" + scenario.about + ")";
  }
  const Result<double> capacity = evaluation::capacity_hz(scenario);
  text += fmt::format("\n{} devices, {:g} s{}; {} seed{} from {}", scenario.devices.size(),
                      static_cast<double>(scenario.duration.count) / 1e6,
                      capacity ? fmt::format(", capacity {:.1f} tasks/s", *capacity) : "",
                      flags.seeds, flags.seeds == 1 ? "" : "s", flags.seed.value_or(scenario.seed));
  return text + "\n\n";
}

void print(const Scenario& scenario, const std::vector<Run>& runs, std::size_t asked,
           const SimulateFlags& flags) {
  const Screen screen = screen_of(STDOUT_FILENO);
  fmt::print("{}{}", heading(scenario, flags), runs_text(runs, screen));
  fmt::print("{}", paragraph(fmt::format("\nmJ/task: above idle, at the boards' inputs, per "
                                         "completed task. x bound: against the {} bound.{}",
                                         flags.bound,
                                         flags.seeds > 1 ? " Intervals: 95 % over seeds." : ""),
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
           const SimulateFlags& flags) {
  if (flags.json) {
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
    print(scenario, runs, asked, flags);
  }
  const bool well =
      std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.well(); });
  return well && runs.size() == asked ? kExitDone : kExitFailed;
}

int list_all(const SimulateFlags& flags) {
  for (const std::string& name : list_scenarios(home_folder(flags.home))) {
    fmt::print("{}\n", name);
  }
  return kExitDone;
}

int simulate(const SimulateFlags& flags) {
  if (flags.list) {
    return list_all(flags);
  }
  if (flags.scenario.empty()) {
    return complain("which scenario? `juggler simulate --list` names those that there are",
                    kExitUsage);
  }
  spdlog::set_level(spdlog::level::off);  // the shells in the worlds log as live ones do
  const Result<Scenario> scenario = find_scenario(flags.scenario, home_folder(flags.home));
  if (!scenario) {
    return complain(scenario.error().message, kExitUsage);
  }
  const Result<std::vector<std::string>> policies = policies_named(flags.policies, *scenario);
  const Result<std::optional<Goal>> goal = goal_named(flags.goal);
  const std::optional<evaluation::BoundKind> bound = evaluation::parse_bound_kind(flags.bound);
  if (!policies || !goal) {
    return complain(policies ? goal.error().message : policies.error().message, kExitUsage);
  }
  const auto seeds = evaluation::seeded_range(
      *scenario,
      {.seed = flags.seed.value_or(scenario->seed), .drawn = flags.drawn, .load = flags.load},
      flags.seeds);
  if (!seeds) {
    return complain(seeds.error().message, kExitUsage);
  }
  std::vector<evaluation::RunRequest> requests;
  for (const std::string& policy : *policies) {
    for (const evaluation::SeededScenario& seeded : *seeds) {
      requests.push_back({.scenario = seeded,
                          .policy = policy,
                          .goal = *goal,
                          .check = flags.check,
                          .bound = *bound});
    }
  }
  const std::size_t asked = requests.size();
  auto runs = evaluation::run_all(std::move(requests), parallel_options(flags.jobs));
  end_progress();
  if (!runs) {
    return complain(runs.error().message, kExitUsage);
  }
  forgive_others(*scenario, *runs);
  return report(*scenario, *runs, asked, flags);
}

}  // namespace

void add_simulate_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "simulate",
      "Run a scenario in virtual time: the real controller and consumers, simulated "
      "broker, network and devices");
  const auto flags = std::make_shared<SimulateFlags>();
  command->add_option("scenario", flags->scenario, "FLEET/PATTERN, a name, or a .toml file")
      ->type_name("SCENARIO");
  command->add_flag("--list", flags->list, "Name the scenarios that there are");
  command
      ->add_option("--policy", flags->policies,
                   "Policies to compare, on the same arrivals; `all`; the scenario's own")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--goal", flags->goal, "energy, balanced, latency or accuracy")
      ->type_name("GOAL");
  command->add_option("--seed", flags->seed, "The first seed, in place of the scenario's")
      ->type_name("N");
  command->add_option("--seeds", flags->seeds, "So many seeds, one after the other")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command->add_option("--load", flags->load, "In place of the scenario's rates, of the capacity")
      ->check(CLI::Range(1e-6, 10.0))
      ->type_name("SHARE");
  command->add_flag("--draws", flags->drawn,
                    "Draw what is uncertain about the boards anew for each seed");
  command->add_option("--bound", flags->bound, "fluid, hindsight (slow) or none")
      ->check(CLI::IsMember({"fluid", "hindsight", "none"}))
      ->type_name("KIND");
  command->add_flag("--check", flags->check, "Check every step of every controller (slower)");
  add_run_flags(*command, flags->home, flags->jobs);
  command->add_flag("--json", flags->json, "One JSON document instead of the table");
  command->footer(examples({"juggler simulate home/burst --policy juggler,round-robin --seeds 5",
                            "juggler simulate throttled-burst --check",
                            "juggler simulate my-site.toml --policy all --bound hindsight"}) +
                  "\nExit status: 0 done, 1 an expectation of the scenario was not met, a promise "
                  "was broken or\nit was stopped, 2 usage or a file that cannot be read.");
  command->callback([flags, &action] { action = [flags] { return simulate(*flags); }; });
}

}  // namespace juggler
