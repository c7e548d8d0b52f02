#include "apps/plan_fleet.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "apps/progress_line.h"
#include "apps/simulation_flags.h"
#include "apps/stop_signals.h"
#include "apps/table.h"
#include "evaluation/demand_file.h"
#include "evaluation/runs.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr int kAttemptsMax = 8;
constexpr double kMoreHeadroom = 0.85;  // of the utilisation, after a fleet that did not hold
constexpr double kUtilisationMin = 0.02;

struct Checked {
  bounds::FleetPlan plan{};
  double utilisation_max = 0.0;
  double on_time_percent = 0.0;
  double energy_mj = 0.0;
  bool broken = false;
  std::vector<std::string> classes{};  // names, by demand
};

Result<Checked> attempt(const evaluation::DemandFile& demand, const bounds::PlanTerms& terms,
                        const FleetFlags& flags) {
  Result<bounds::FleetPlan> plan = evaluation::plan_of(demand, terms, home_folder(flags.home));
  if (!plan) {
    return plan.error();
  }
  const Result<Scenario> scenario =
      evaluation::scenario_of(demand, plan->counts, home_folder(flags.home));
  if (!scenario) {
    return scenario.error();
  }
  const auto seeds = evaluation::seeded_range(*scenario, {.seed = scenario->seed}, flags.seeds);
  if (!seeds) {
    return seeds.error();
  }
  std::vector<evaluation::RunRequest> requests;
  for (const evaluation::SeededScenario& seeded : *seeds) {
    requests.push_back(
        {.scenario = seeded, .policy = flags.policy, .bound = evaluation::BoundKind::None});
  }
  const auto runs = evaluation::run_all(std::move(requests), parallel_options(flags.jobs));
  end_progress();
  if (!runs) {
    return runs.error();
  }
  Checked checked{.plan = std::move(*plan), .utilisation_max = terms.utilisation_max};
  std::uint64_t offered = 0;
  std::uint64_t on_time = 0;
  std::uint64_t completed = 0;
  std::int64_t energy_uj = 0;
  for (const evaluation::Run& run : *runs) {
    offered += run.result.offered;
    on_time += run.result.on_time;
    completed += run.result.completed;
    energy_uj += run.result.energy_completed.count;
    checked.broken = checked.broken || !run.broken.empty();
  }
  if (offered > 0 && completed > 0) {
    checked.on_time_percent = 100.0 * static_cast<double>(on_time) / static_cast<double>(offered);
    checked.energy_mj = static_cast<double>(energy_uj) / 1e3 / static_cast<double>(completed);
  }
  for (const DemandClass& one : scenario->classes) {
    checked.classes.push_back(one.name);
  }
  return checked;
}

// Lowers the utilisation until the programme asks for another fleet.
Result<void> add_headroom(const evaluation::DemandFile& demand,
                          const std::vector<std::int64_t>& counts, const FleetFlags& flags,
                          bounds::PlanTerms& terms) {
  while (terms.utilisation_max > kUtilisationMin) {
    terms.utilisation_max *= kMoreHeadroom;
    const Result<bounds::FleetPlan> plan =
        evaluation::plan_of(demand, terms, home_folder(flags.home));
    if (!plan) {
      return plan.error();
    }
    if (plan->counts != counts) {
      return {};
    }
  }
  return fail(ErrorCode::Unsupported,
              "no fleet of these boards holds it: more of them do not help. Allow more time");
}

json fleet_json(const evaluation::DemandFile& demand, const Checked& checked, bool holds) {
  json boards = json::array();
  for (std::size_t i = 0; i < demand.offers.size(); ++i) {
    boards.push_back({{"board", demand.offers[i].board},
                      {"network", demand.offers[i].network},
                      {"count", checked.plan.counts[i]},
                      {"price", demand.offers[i].price}});
  }
  json flows = json::array();
  for (const bounds::PlanFlow& flow : checked.plan.flows) {
    flows.push_back({{"class", checked.classes[flow.demand]},
                     {"board", demand.offers[flow.offer].board},
                     {"processor", flow.processor},
                     {"variant", flow.variant},
                     {"batch", flow.batch},
                     {"rate_hz", static_cast<double>(flow.rate_uhz) / 1e6}});
  }
  return {{"simulated", true},
          {"holds", holds},
          {"boards", std::move(boards)},
          {"flows", std::move(flows)},
          {"cost", static_cast<double>(checked.plan.cost_millionths) / 1e6},
          {"cost_min", static_cast<double>(checked.plan.cost_min_millionths) / 1e6},
          {"utilisation_max", checked.utilisation_max},
          {"on_time_percent", checked.on_time_percent},
          {"energy_mj_per_task", checked.energy_mj}};
}

void print_fleet(const evaluation::DemandFile& demand, const Checked& checked,
                 const FleetFlags& flags) {
  const Screen screen = screen_of(STDOUT_FILENO);
  Table boards({{.title = "board"}, {.title = "network"}, {.title = "count", .right = true}});
  for (std::size_t i = 0; i < demand.offers.size(); ++i) {
    if (checked.plan.counts[i] > 0) {
      boards.row({demand.offers[i].board, demand.offers[i].network,
                  fmt::format("{}", checked.plan.counts[i])});
    }
  }
  Table flows({{.title = "class"},
               {.title = "on"},
               {.title = "variant"},
               {.title = "batch", .right = true},
               {.title = "tasks/s", .right = true}});
  for (const bounds::PlanFlow& flow : checked.plan.flows) {
    flows.row({checked.classes[flow.demand], demand.offers[flow.offer].board + "/" + flow.processor,
               flow.variant, fmt::format("{}", flow.batch),
               fmt::format("{:.2f}", static_cast<double>(flow.rate_uhz) / 1e6)});
  }
  fmt::print("{}\n{}\n", boards.text(screen), flows.text(screen));
  fmt::print("Cost {:.2f}; no fleet with this headroom costs less than {:.2f}.\n",
             static_cast<double>(checked.plan.cost_millionths) / 1e6,
             static_cast<double>(checked.plan.cost_min_millionths) / 1e6);
  fmt::print(
      "Simulated under {}: {:.2f} % on time, {:.1f} mJ per task ({} seeds; processors "
      "planned to {:.0f} %).\n",
      flags.policy, checked.on_time_percent, checked.energy_mj, flags.seeds,
      checked.utilisation_max * 100);
}

}  // namespace

int plan_fleet(const FleetFlags& flags) {
  const Result<evaluation::DemandFile> demand = evaluation::load_demand(flags.demand);
  if (!demand) {
    return complain(demand.error().message, kExitUsage);
  }
  bounds::PlanTerms terms = demand->terms;
  for (int i = 0; i < kAttemptsMax && stop_signals() == 0; ++i) {
    const Result<Checked> checked = attempt(*demand, terms, flags);
    if (!checked) {
      return complain(checked.error().message,
                      checked.error().code == ErrorCode::Unsupported ? kExitFailed : kExitUsage);
    }
    const bool holds = !checked->broken && checked->on_time_percent >= flags.on_time_percent;
    if (holds || i + 1 == kAttemptsMax) {
      if (flags.json) {
        fmt::print("{}\n", fleet_json(*demand, *checked, holds).dump(2));
      } else {
        print_fleet(*demand, *checked, flags);
      }
      return holds ? kExitDone : complain("this is the best, and it does not hold", kExitFailed);
    }
    fmt::print(stderr,
               "juggler: {:.2f} % on time with processors planned to {:.0f} %: more headroom\n",
               checked->on_time_percent, terms.utilisation_max * 100);
    if (Result<void> more = add_headroom(*demand, checked->plan.counts, flags, terms); !more) {
      return complain(more.error().message, kExitFailed);
    }
  }
  return kExitFailed;
}

}  // namespace juggler
