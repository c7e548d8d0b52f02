// What one decision costs: plan() of each policy on fleets of 10, 100 and 1,000 devices with 8
// variants each, one processor per device, half of the windows taken. Each decision is checked: it
// must place the task on a candidate that meets the requirements, or the run has no figure.
//
//   juggler-bench-plan [--json FILE] [--decisions N]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "core/planner.h"

namespace {

using juggler::Micros;

constexpr int kVariants = 8;
constexpr juggler::Time kNow{1'000'000'000};

juggler::DeviceFacts facts_of(int device) {
  juggler::DeviceFacts facts;
  facts.id = fmt::format("device-{:04}", device);
  juggler::Processor processor;
  processor.id = "cpu0";
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
    const Micros latency{2'000 + (device * 37 + v * 501) % 40'000};
    juggler::EnergyFigure energy;
    energy.value = {10'000 + (device * 91 + v * 1'703) % 200'000};
    energy.low = energy.value;
    energy.high = energy.value * 2;
    profile.points.push_back({1, latency, latency * 6 / 5, energy});
    processor.profiles.push_back(profile);
  }
  facts.processors.push_back(processor);
  return facts;
}

juggler::Fleet fleet_of(int devices) {
  juggler::Fleet fleet;
  for (int d = 0; d < devices; ++d) {
    const juggler::DeviceFacts facts = facts_of(d);
    juggler::DeviceState& device = fleet.at_or_insert(facts.id);
    device.facts = std::make_shared<const juggler::DeviceFacts>(facts);
    juggler::Lane lane;
    lane.costs = std::make_shared<const juggler::LaneCosts>(
        juggler::costs_of(facts, facts.processors.front()));
    lane.learned = std::make_shared<const juggler::LaneLearned>(kVariants);
    if (d % 2 == 1) {
      lane.in_flight.push_back({.batch = 1, .open = 1, .mean = Micros{20'000}});
      lane.head_since = kNow;
    }
    device.lanes.push_back(std::move(lane));
  }
  return fleet;
}

struct Figures {
  std::string policy;
  int devices = 0;
  std::size_t decisions = 0;
  double us_p50 = 0;
  double us_p99 = 0;
};

Figures measure(const juggler::PolicyEntry& entry, int devices, std::size_t decisions) {
  juggler::Planner planner(std::move(*juggler::make_policy(entry.name)));
  const juggler::Fleet fleet = fleet_of(devices);
  juggler::Rng rng(1);
  juggler::Requirements wanted;
  wanted.min_accuracy = juggler::MilliPercent{72'000};
  juggler::TaskView task;
  task.requirements = &wanted;
  task.model = "imagenet";
  task.payload = juggler::PayloadKind::Jpeg;
  std::vector<double> us;
  for (std::size_t i = 0; i < decisions + decisions / 10; ++i) {
    task.number = i + 1;
    task.deadline = kNow + Micros{50'000 + static_cast<std::int64_t>(i % 7) * 10'000};
    const auto begun = std::chrono::steady_clock::now();
    const juggler::Decision decision = planner.plan(fleet, task, kNow, rng);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
    const auto* place = std::get_if<juggler::Place>(&decision);
    if (place == nullptr || place->candidate.accuracy < *wanted.min_accuracy ||
        place->candidate.finish > task.deadline) {
      std::cerr << "a decision of " << entry.name << " breaks the requirements: no figure\n";
      std::exit(1);
    }
    if (i >= decisions / 10) {  // the first tenth warms up
      us.push_back(took.count());
    }
  }
  std::sort(us.begin(), us.end());
  return {std::string(entry.name), devices, us.size(), us[us.size() / 2], us[us.size() * 99 / 100]};
}

}  // namespace

int main(int argc, char** argv) {
  std::string json_path;
  std::size_t decisions = 20'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--json") {
      json_path = argv[i + 1];
    } else if (flag == "--decisions") {
      decisions = std::strtoul(argv[i + 1], nullptr, 10);
    } else {
      std::cerr << "juggler-bench-plan [--json FILE] [--decisions N]\n";
      return 2;
    }
  }
  std::string json = "[";
  std::cout << fmt::format("{:<16} {:>8} {:>10} {:>10} {:>10}\n", "policy", "devices", "decisions",
                           "p50 us", "p99 us");
  for (const int devices : {10, 100, 1000}) {
    for (const juggler::PolicyEntry& entry : juggler::policies()) {
      const Figures f = measure(entry, devices, devices == 1000 ? decisions / 20 : decisions);
      std::cout << fmt::format("{:<16} {:>8} {:>10} {:>10.2f} {:>10.2f}\n", f.policy, f.devices,
                               f.decisions, f.us_p50, f.us_p99);
      json += fmt::format(
          "{}{{\"policy\":\"{}\",\"devices\":{},\"variants\":{},\"decisions\":{},"
          "\"plan_us_p50\":{:.3f},\"plan_us_p99\":{:.3f}}}",
          json.size() > 1 ? "," : "", f.policy, f.devices, kVariants, f.decisions, f.us_p50,
          f.us_p99);
    }
  }
  if (!json_path.empty()) {
    std::ofstream(json_path) << json << "]\n";
  }
  return 0;
}
