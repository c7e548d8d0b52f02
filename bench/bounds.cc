// How tight the bounds are and what they cost.
//
// usage: juggler-bench-bounds gap N [TASKS]         N random small instances against exact
// schedules
//        juggler-bench-bounds SCENARIO [SLOTS]...   a scenario's capacity, fluid and hindsight
//        bound
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "bounds/exact.h"
#include "bounds/fluid.h"
#include "bounds/hindsight.h"
#include "sim/scenario_file.h"
#include "sim/workload.h"
#include "support/bounds_instances.h"

namespace {

using juggler::Micros;
using juggler::Rng;
using juggler::Scenario;
using juggler::Time;
namespace bounds = juggler::bounds;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double share_of(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1.0;
}

void print_quantiles(const std::string& name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  fmt::print("{:<28} min {:.4f}  p10 {:.4f}  p50 {:.4f}  p90 {:.4f}  max {:.4f}\n", name, at(0.0),
             at(0.1), at(0.5), at(0.9), at(1.0));
}

int gap(int count, int tasks) {
  std::vector<double> hindsight;
  std::vector<double> fluid;
  int infeasible = 0;
  for (int seed = 1; static_cast<int>(hindsight.size()) < count; ++seed) {
    Rng rng(static_cast<std::uint64_t>(seed));
    const juggler::test::SmallInstance instance = juggler::test::small_instance(rng, tasks);
    const auto groups = instance.groups();
    const auto exact = bounds::exact_energy(groups, instance.demands, instance.arrivals);
    if (!exact) {
      ++infeasible;
      continue;
    }
    const auto bound = bounds::hindsight_energy(groups, instance.demands, instance.arrivals);
    if (!bound || bound->energy_uj > *exact) {
      fmt::print("seed {}: WRONG bound {} above {}\n", seed, bound ? bound->energy_uj : -1, *exact);
      return 1;
    }
    hindsight.push_back(share_of(bound->energy_uj, *exact));
    fluid.push_back(share_of(bound->fluid_uj, *exact));
  }
  fmt::print("{} instances of 1 to {} tasks ({} more had no schedule); bound / exact optimum:\n",
             count, tasks, infeasible);
  print_quantiles("hindsight", hindsight);
  print_quantiles("fluid", fluid);
  return 0;
}

struct Input {
  std::vector<bounds::SupplyDevice> supply;
  std::vector<bounds::Demand> demands;
  std::vector<bounds::Arrival> arrivals;
};

Input input_of(const Scenario& scenario) {
  Input input;
  for (const auto& device : scenario.devices) {
    input.supply.push_back({&device.truth, device.network.rtt, 1});
  }
  for (const auto& demand : scenario.classes) {
    input.demands.push_back({demand.requirements, demand.share, demand.payload});
  }
  return input;
}

int run_scenario(const std::string& name, std::size_t tasks, const std::vector<int>& slots) {
  auto scenario = juggler::find_scenario(name, ".");
  if (!scenario) {
    fmt::print("{}\n", scenario.error().message);
    return 1;
  }
  Input input = input_of(*scenario);
  const auto groups = bounds::group_processors(input.supply);
  const auto capacity = bounds::fluid_capacity(groups, input.demands);
  if (!capacity) {
    fmt::print("{}\n", capacity.error().message);
    return 1;
  }
  const double capacity_hz = static_cast<double>(capacity->scale_ppm) / 1e6;
  juggler::scale_rates(*scenario, capacity_hz);
  auto workload = juggler::Workload::open(*scenario);
  if (!workload) {
    fmt::print("{}\n", workload.error().message);
    return 1;
  }
  while (const auto arrival = workload->next()) {
    if (input.arrivals.size() >= tasks) {
      break;
    }
    const Micros deadline = *input.demands[arrival->demand].requirements.deadline;
    input.arrivals.push_back(
        {arrival->at, arrival->at + deadline, static_cast<std::uint32_t>(arrival->demand)});
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  fmt::print("{}: {} devices in {} groups, capacity {:.1f}/s, {} arrivals\n", name,
             input.supply.size(), groups.size(), capacity_hz, input.arrivals.size());
  for (const double drop : {0.0, 0.01}) {
    for (const int per_deadline : slots) {
      const double begin = seconds_now();
      const auto bound =
          bounds::hindsight_energy(groups, input.demands, input.arrivals,
                                   {.drop_share = drop, .slots_per_deadline = per_deadline});
      if (!bound) {
        fmt::print("{}\n", bound.error().message);
        continue;
      }
      fmt::print(
          "drop {:.2f} slots {:>3} ({} us): bound {:.4f} J = {:.4f} x fluid, {}, {}, loss <= "
          "{:.3f} "
          "%, hard {}, {} columns, {} iterations, {:.2f} s\n",
          drop, per_deadline, bound->slot_us, static_cast<double>(bound->energy_uj) / 1e6,
          share_of(bound->energy_uj, bound->fluid_uj), bounds::to_string(bound->kind),
          bounds::to_string(bound->status), static_cast<double>(bound->loss_ppm) / 1e4,
          bound->hard_pressed, bound->columns, bound->solver_iterations, seconds_now() - begin);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() >= 2 && words[0] == "gap") {
    return gap(std::atoi(words[1].c_str()), words.size() > 2 ? std::atoi(words[2].c_str()) : 7);
  }
  if (!words.empty()) {
    std::vector<int> slots;
    for (std::size_t w = 2; w < words.size(); ++w) {
      slots.push_back(std::atoi(words[w].c_str()));
    }
    const int tasks = words.size() > 1 ? std::atoi(words[1].c_str()) : 1'000'000;
    return run_scenario(words[0], static_cast<std::size_t>(tasks),
                        slots.empty() ? std::vector<int>{10} : slots);
  }
  fmt::print("usage: juggler-bench-bounds gap N [TASKS] | SCENARIO [TASKS [SLOTS]...]\n");
  return 2;
}
