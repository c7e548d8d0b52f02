// How fast the simulator is: so many equal devices, so many tasks, no faults; production state
// machines, shells and codec. Prints tasks per second of CPU time. A run that lost a task or broke
// a promise has no figure.
//
//   juggler-bench-simulate [--devices N] [--tasks N] [--policy NAME] [--digest] [--check]

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "sim/world.h"

namespace {

using juggler::Micros;

constexpr int kVariants = 8;

juggler::ScenarioDevice device_of(int number) {
  juggler::DeviceFacts facts;
  facts.id = fmt::format("device-{:04}", number);
  facts.board = "bench";
  facts.twin = true;
  facts.idle = juggler::Milliwatts{3000};
  juggler::Processor processor;
  processor.id = "gpu0";
  processor.batch_max = 4;
  for (int v = 0; v < kVariants; ++v) {
    juggler::Variant variant;
    variant.id = fmt::format("network{}-fp32", v);
    variant.model = "imagenet";
    variant.network = fmt::format("network{}", v);
    variant.precision = "fp32";
    variant.accuracy = {70'000 + v * 1'000};
    variant.weights = juggler::Weights::Pretrained;
    facts.variants.push_back(variant);
    juggler::Profile profile;
    profile.variant = variant.id;
    const std::int64_t latency = 2'000 + (number * 37 + v * 501) % 8'000;
    const std::int64_t energy = 10'000 + (number * 91 + v * 1'703) % 200'000;
    for (int batch = 1; batch <= 4; batch *= 2) {
      const Micros mean{latency * (1 + batch) / 2};
      const juggler::Microjoules joules{energy * (1 + batch) / 2};
      const juggler::EnergyFigure figure{.value = joules, .low = joules, .high = joules};
      profile.points.push_back({batch, mean, mean * 6 / 5, figure});
    }
    processor.profiles.push_back(profile);
  }
  facts.processors.push_back(processor);
  juggler::ScenarioDevice device;
  device.announced = facts;
  device.truth = facts;
  device.network.rtt = Micros{500};
  device.network.jitter = Micros{50};
  return device;
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  int devices = 10;
  std::int64_t tasks = 100'000;
  std::string policy = "juggler";
  bool digest = false;
  bool check = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--devices" && i + 1 < argc) {
      devices = std::atoi(argv[++i]);
    } else if (flag == "--tasks" && i + 1 < argc) {
      tasks = std::atoll(argv[++i]);
    } else if (flag == "--policy" && i + 1 < argc) {
      policy = argv[++i];
    } else if (flag == "--digest") {
      digest = true;
    } else if (flag == "--check") {
      check = true;
    } else {
      std::cerr << "usage: juggler-bench-simulate [--devices N] [--tasks N] [--policy NAME]"
                   " [--digest] [--check]\n";
      return 2;
    }
  }
  juggler::Scenario scenario;
  scenario.name = "speed";
  for (int d = 0; d < devices; ++d) {
    scenario.devices.push_back(device_of(d));
  }
  juggler::DemandClass demand;
  demand.name = "all";
  demand.requirements.min_accuracy = juggler::MilliPercent{72'000};
  demand.requirements.deadline = juggler::milliseconds(500);
  scenario.classes.push_back(demand);
  // 60 tasks per second and device: about a third of what they can do.
  const Micros gap{std::max<std::int64_t>(1'000'000 / (60 * devices), 1)};
  scenario.duration = gap * tasks;

  juggler::sim::WorldOptions options;
  options.policy = policy;
  options.digest = digest;
  options.check = check;
  std::int64_t sent = 0;
  options.arrivals = [&]() -> std::optional<std::pair<juggler::Time, std::size_t>> {
    if (sent == tasks) {
      return std::nullopt;
    }
    sent += 1;
    return std::pair(juggler::Time{} + gap * (sent - 1), std::size_t{0});
  };
  const double before = cpu_seconds();
  juggler::sim::World world(scenario, options);
  const juggler::sim::RunResult result = world.run();
  const double used = cpu_seconds() - before;
  for (const std::string& complaint : result.complaints) {
    std::cerr << complaint << "\n";
  }
  if (!result.complaints.empty() || result.lost > 0 || result.completed * 2 < result.offered) {
    std::cerr << fmt::format("no figure: {} of {} completed, {} rejected, {} expired, {} lost\n",
                             result.completed, result.offered, result.rejected, result.expired,
                             result.lost);
    for (const auto& [reason, count] : result.rejected_by_reason) {
      std::cerr << fmt::format("  {} x {}\n", count, reason);
    }
    return 1;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::cout << fmt::format(
      "{} devices, {} tasks, policy {}: {:.0f} tasks/s of CPU ({:.2f} s), {:.1f} events/task, "
      "p50 {} us, p99 {} us, on time {:.2f} %, {} MiB, digest {:016x}\n",
      devices, tasks, policy, static_cast<double>(tasks) / used, used,
      static_cast<double>(result.events) / static_cast<double>(tasks), result.latency.p50.count,
      result.latency.p99.count,
      100.0 * static_cast<double>(result.on_time) / static_cast<double>(result.offered),
      usage.ru_maxrss / 1024, result.digest);
  return 0;
}
