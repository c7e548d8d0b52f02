// `juggler simulate SCENARIO`: the production controller and consumers in virtual time.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "apps/commands.h"
#include "apps/simulation.h"
#include "apps/simulation_flags.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

struct SimulateFlags {
  std::string scenario;
  std::string home;
  bool list = false;
  SimulationChoice choice;
};

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
  return run_simulation(*scenario, flags.choice);
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
      ->add_option("--policy", flags->choice.policies,
                   "Policies to compare, on the same arrivals; `all`; the scenario's own")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--goal", flags->choice.goal, "energy, balanced, latency or accuracy")
      ->type_name("GOAL");
  command->add_option("--seed", flags->choice.seed, "The first seed, in place of the scenario's")
      ->type_name("N");
  command->add_option("--seeds", flags->choice.seeds, "So many seeds, one after the other")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command
      ->add_option("--load", flags->choice.load,
                   "In place of the scenario's rates, of the capacity")
      ->check(CLI::Range(1e-6, 10.0))
      ->type_name("SHARE");
  command->add_flag("--draws", flags->choice.drawn,
                    "Draw what is uncertain about the boards anew for each seed");
  command->add_option("--bound", flags->choice.bound, "fluid, hindsight (slow) or none")
      ->check(CLI::IsMember({"fluid", "hindsight", "none"}))
      ->type_name("KIND");
  command->add_flag("--check", flags->choice.check,
                    "Check every step of every controller (slower)");
  add_run_flags(*command, flags->home, flags->choice.jobs);
  command->add_flag("--json", flags->choice.json, "One JSON document instead of the table");
  command->footer(examples({"juggler simulate home/burst --policy juggler,round-robin --seeds 5",
                            "juggler simulate throttled-burst --check",
                            "juggler simulate my-site.toml --policy all --bound hindsight"}) +
                  "\nExit status: 0 done, 1 an expectation of the scenario was not met, a promise "
                  "was broken or\nit was stopped, 2 usage or a file that cannot be read.");
  command->callback([flags, &action] { action = [flags] { return simulate(*flags); }; });
}

}  // namespace juggler
