// `juggler plan`: the cheapest fleet for a demand (plan_fleet.h), or with `--holds SCENARIO` the
// highest rate that a fleet serves in time, by simulation.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/plan_fleet.h"
#include "apps/progress_line.h"
#include "apps/simulation_flags.h"
#include "apps/stop_signals.h"
#include "apps/table.h"
#include "evaluation/demand.h"
#include "evaluation/runs.h"
#include "evaluation/statistics.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

using nlohmann::json;

struct PlanFlags {
  std::string demand;
  std::string holds;
  std::string home;
  std::vector<std::string> policies;
  std::string goal;
  std::size_t seeds = 3;
  double on_time_percent = 99.0;
  std::size_t jobs = 0;
  bool json = false;
};

constexpr double kLoadMin = 0.05;
constexpr double kLoadMax = 1.3;  // beyond the fluid capacity nothing can hold
constexpr int kSteps = 7;         // the rate is then known to 1 % of the capacity

// One rate, simulated.
struct Trial {
  double load = 0.0;
  double rate_hz = 0.0;
  double on_time_percent = 0.0;
  double energy_mj = 0.0;
  bool broken = false;
};

struct Answer {
  std::string policy;
  std::optional<Trial> best{};  // the highest that held
  std::vector<Trial> trials{};  // in the order in which they were tried
};

Result<Trial> attempt(const Scenario& scenario, const PlanFlags& flags, std::optional<Goal> goal,
                      const std::string& policy, double load) {
  const auto seeds =
      evaluation::seeded_range(scenario, {.seed = scenario.seed, .load = load}, flags.seeds);
  if (!seeds) {
    return seeds.error();
  }
  std::vector<evaluation::RunRequest> requests;
  for (const evaluation::SeededScenario& seeded : *seeds) {
    requests.push_back(
        {.scenario = seeded, .policy = policy, .goal = goal, .bound = evaluation::BoundKind::None});
  }
  evaluation::ParallelOptions options = parallel_options(flags.jobs);
  options.progress = {};
  const auto runs = evaluation::run_all(std::move(requests), options);
  if (!runs) {
    return runs.error();
  }
  Trial trial{.load = load};
  std::uint64_t offered = 0;
  std::uint64_t on_time = 0;
  std::uint64_t completed = 0;
  std::int64_t energy_uj = 0;
  double seconds = 0.0;
  for (const evaluation::Run& run : *runs) {
    offered += run.result.offered;
    on_time += run.result.on_time;
    completed += run.result.completed;
    energy_uj += run.result.energy_completed.count;
    seconds += static_cast<double>(run.result.duration.count) / 1e6;
    trial.broken = trial.broken || !run.broken.empty();
  }
  if (offered > 0 && completed > 0) {
    trial.rate_hz = static_cast<double>(offered) / seconds;
    trial.on_time_percent = 100.0 * static_cast<double>(on_time) / static_cast<double>(offered);
    trial.energy_mj = static_cast<double>(energy_uj) / 1e3 / static_cast<double>(completed);
  }
  return trial;
}

// Bisection over the load: on-time shares fall with it, but for the noise of a few seeds.
Result<Answer> highest(const Scenario& scenario, const PlanFlags& flags, std::optional<Goal> goal,
                       const std::string& policy) {
  Answer answer{.policy = policy};
  double low = kLoadMin;
  double high = kLoadMax;
  for (int step = 0; step < kSteps && stop_signals() == 0; ++step) {
    const double load = (low + high) / 2;
    if (isatty(STDERR_FILENO) == 1) {
      fmt::print(stderr, "\r{}: {:.1f} % of the capacity, step {} of {}\x1b[K", policy, load * 100,
                 step + 1, kSteps);
    }
    const Result<Trial> trial = attempt(scenario, flags, goal, policy, load);
    if (!trial) {
      return trial.error();
    }
    answer.trials.push_back(*trial);
    const bool holds = !trial->broken && trial->on_time_percent >= flags.on_time_percent;
    if (holds) {
      answer.best = *trial;
    }
    (holds ? low : high) = load;
  }
  end_progress();
  return answer;
}

json trial_json(const Trial& trial) {
  return {{"load", trial.load},
          {"rate_hz", trial.rate_hz},
          {"on_time_percent", trial.on_time_percent},
          {"energy_mj_per_task", trial.energy_mj},
          {"broken", trial.broken}};
}

void print_json(const Scenario& scenario, double capacity, const std::vector<Answer>& answers) {
  json list = json::array();
  for (const Answer& answer : answers) {
    json trials = json::array();
    for (const Trial& trial : answer.trials) {
      trials.push_back(trial_json(trial));
    }
    list.push_back({{"policy", answer.policy},
                    {"holds", answer.best ? trial_json(*answer.best) : json(nullptr)},
                    {"trials", std::move(trials)}});
  }
  const json document{{"scenario", scenario.name},
                      {"simulated", true},
                      {"capacity_hz", capacity},
                      {"policies", std::move(list)}};
  fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
}

void print_table(const Scenario& scenario, const PlanFlags& flags, double capacity,
                 const std::vector<Answer>& answers) {
  fmt::print("Simulated: what {} holds with at least {:g} % on time ({} seeds)\n", scenario.name,
             flags.on_time_percent, flags.seeds);
  fmt::print("Capacity of the fluid programme, which nothing can pass: {:.1f} tasks/s\n\n",
             capacity);
  Table table({{.title = "policy"},
               {.title = "tasks/s", .right = true},
               {.title = "of capacity", .right = true},
               {.title = "on time %", .right = true},
               {.title = "mJ/task", .right = true}});
  for (const Answer& answer : answers) {
    if (answer.best) {
      table.row({answer.policy, fmt::format("{:.1f}", answer.best->rate_hz),
                 fmt::format("{:.0f} %", answer.best->load * 100),
                 fmt::format("{:.2f}", answer.best->on_time_percent),
                 fmt::format("{:.1f}", answer.best->energy_mj)});
    } else {
      table.row({answer.policy, "none", "", "", ""});
    }
  }
  fmt::print("{}", table.text(screen_of(STDOUT_FILENO)));
}

int plan(const PlanFlags& flags) {
  if (flags.holds.empty() == flags.demand.empty()) {
    return complain("what shall be planned? juggler plan DEMAND.toml, or --holds SCENARIO",
                    kExitUsage);
  }
  spdlog::set_level(spdlog::level::off);
  if (!flags.demand.empty()) {
    return plan_fleet({.demand = flags.demand,
                       .home = flags.home,
                       .policy = flags.policies.empty() ? "juggler" : flags.policies.front(),
                       .seeds = flags.seeds,
                       .on_time_percent = flags.on_time_percent,
                       .jobs = flags.jobs,
                       .json = flags.json});
  }
  const Result<Scenario> scenario = find_scenario(flags.holds, home_folder(flags.home));
  if (!scenario) {
    return complain(scenario.error().message, kExitUsage);
  }
  const Result<std::vector<std::string>> policies = policies_named(flags.policies, *scenario);
  const Result<std::optional<Goal>> goal = goal_named(flags.goal);
  const Result<double> capacity = evaluation::capacity_hz(*scenario);
  if (!policies || !goal || !capacity) {
    return complain(!policies ? policies.error().message
                    : !goal   ? goal.error().message
                              : capacity.error().message,
                    kExitUsage);
  }
  std::vector<Answer> answers;
  for (const std::string& policy : *policies) {
    Result<Answer> answer = highest(*scenario, flags, *goal, policy);
    if (!answer) {
      return complain(answer.error().message, kExitUsage);
    }
    answers.push_back(std::move(*answer));
  }
  if (flags.json) {
    print_json(*scenario, *capacity, answers);
  } else {
    print_table(*scenario, flags, *capacity, answers);
  }
  const bool all = std::all_of(answers.begin(), answers.end(),
                               [](const Answer& answer) { return answer.best.has_value(); });
  return all && stop_signals() == 0 ? kExitDone : kExitFailed;
}

}  // namespace

void add_plan_command(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("plan", "The cheapest fleet for a demand; the highest rate of a fleet");
  const auto flags = std::make_shared<PlanFlags>();
  command->add_option("demand", flags->demand, "What is asked, and the boards on offer")
      ->type_name("DEMAND.toml");
  command
      ->add_option("--holds", flags->holds,
                   "The fleet and its mix: a scenario, whose rates are replaced")
      ->type_name("SCENARIO");
  command->add_option("--policy", flags->policies, "Policies to compare; the scenario's own")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--goal", flags->goal, "energy, balanced, latency or accuracy")
      ->type_name("GOAL");
  command->add_option("--on-time", flags->on_time_percent, "What must be on time; 99")
      ->check(CLI::Range(1.0, 100.0))
      ->type_name("PERCENT");
  command->add_option("--seeds", flags->seeds, "Seeds at each rate; 3")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  add_run_flags(*command, flags->home, flags->jobs);
  command->add_flag("--json", flags->json, "One JSON document instead of the table");
  command->footer(examples({"juggler plan shop.toml", "juggler plan --holds home/steady-60",
                            "juggler plan --holds my-site.toml --policy all --on-time 99.9"}) +
                  "\nExit status: 0 done, 1 no fleet or rate holds or it was stopped, 2 usage.");
  command->callback([flags, &action] { action = [flags] { return plan(*flags); }; });
}

}  // namespace juggler
