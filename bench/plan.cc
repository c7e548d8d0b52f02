// What one decision costs: plan() of each policy on fleets of 10, 100 and 1,000 devices with 8
// variants each, and 1,000 with 12, one processor per device. Each decision is checked: it must
// place the task on a candidate that meets the requirements, or the run has no figure.
//
// In a still fleet nothing changes from decision to decision; half of the windows are taken. In a
// moving one tasks come, at a third of what the fleet can do, stand in line, run in batches and
// come back, as the controller has it: what decisions have to learn of the changes counts as
// theirs.
//
//   juggler-bench-plan [--json FILE] [--decisions N] [--policy NAME]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "core/planner.h"

namespace {

using juggler::Micros;

constexpr juggler::Time kNow{1'000'000'000};

struct Size {
  int devices = 0;
  int variants = 0;
};

juggler::DeviceFacts facts_of(int device, int variants, int batch_max) {
  juggler::DeviceFacts facts;
  facts.id = fmt::format("device-{:04}", device);
  juggler::Processor processor;
  processor.id = "cpu0";
  processor.batch_max = batch_max;
  for (int v = 0; v < variants; ++v) {
    juggler::Variant variant;
    variant.id = fmt::format("network{:02}-fp32", v);
    variant.model = "imagenet";
    variant.network = fmt::format("network{:02}", v);
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
    for (int batch = 2; batch <= batch_max; batch *= 2) {
      const auto share = [batch](std::int64_t of_one) { return of_one * (1 + batch) / 2; };
      const Micros mean{share(latency.count)};
      profile.points.push_back({batch, mean, mean * 6 / 5, energy});
      profile.points.back().energy->value = {share(energy.value.count)};
      profile.points.back().energy->low = {share(energy.low.count)};
      profile.points.back().energy->high = {share(energy.high.count)};
    }
    processor.profiles.push_back(profile);
  }
  facts.processors.push_back(processor);
  return facts;
}

juggler::Fleet fleet_of(Size size, int batch_max) {
  juggler::Fleet fleet;
  for (int d = 0; d < size.devices; ++d) {
    const juggler::DeviceFacts facts = facts_of(d, size.variants, batch_max);
    juggler::DeviceState& device = fleet.at_or_insert(facts.id);
    device.facts = std::make_shared<const juggler::DeviceFacts>(facts);
    juggler::Lane lane;
    lane.costs = std::make_shared<const juggler::LaneCosts>(
        juggler::costs_of(facts, facts.processors.front()));
    lane.price.set_scale(*lane.costs);
    juggler::LaneLearned learned(static_cast<std::size_t>(size.variants));
    for (juggler::ProfileLearned& profile : learned.profiles) {
      profile.loaded = true;
    }
    lane.learned = std::make_shared<const juggler::LaneLearned>(learned);
    device.lanes.push_back(std::move(lane));
  }
  return fleet;
}

void take_half_of_the_windows(juggler::Fleet& fleet) {
  for (std::size_t d = 1; d < fleet.devices().size(); d += 2) {
    juggler::Lane& lane = fleet.change(d).lanes.front();
    lane.in_flight.push_back({.batch = 1, .open = 1, .mean = Micros{20'000}});
    lane.head_since = kNow;
  }
}

// What the controller does between decisions, in short.
class MovingFleet {
 public:
  explicit MovingFleet(Size size)
      : fleet_(fleet_of(size, 4)), gap_{1'000'000 / 20 / size.devices} {}

  const juggler::Fleet& fleet() const { return fleet_; }
  juggler::Time now() const { return now_; }

  // Until the next task comes.
  void go_on() {
    now_ = now_ + gap_;
    while (!ends_.empty() && ends_.top().first <= now_.us) {
      finish(ends_.top().second);
      ends_.pop();
    }
    fleet_.arrivals.arrived(now_.us);
  }
  void settle(const juggler::TaskView& task, const juggler::Candidate& chosen,
              std::span<const juggler::Candidate> candidates) {
    const juggler::Candidate* asked = nullptr;
    for (const juggler::Candidate& one : candidates) {
      asked = asked == nullptr || one.asks_uj < asked->asks_uj ? &one : asked;
    }
    fleet_.change(asked->device).lanes.front().price.ask(asked->asks, now_);
    juggler::Lane& lane = fleet_.change(chosen.device).lanes.front();
    juggler::OpenBatch fresh;
    fresh.id = chosen.batch != 0 ? chosen.batch : ++batches_;
    fresh.profile = chosen.profile;
    fresh.hoped = chosen.hoped;
    lane.join(chosen.batch, fresh,
              {.task = task.number, .due = chosen.due, .patient = true, .bytes = task.bytes},
              chosen.position);
    send(chosen.device);
  }

 private:
  void send(std::uint32_t device) {
    juggler::Lane& lane = fleet_.change(device).lanes.front();
    if (lane.in_flight.size() >= 2 || lane.line->empty()) {
      return;
    }
    const juggler::OpenBatch batch = lane.line->front();
    lane.take(batch.id);
    const juggler::BatchCost cost =
        lane.expected(batch.profile, batch.tasks, juggler::kSlowdownMin);
    const juggler::Time from =
        lane.in_flight.empty() ? now_ : now_ + lane.backlog(now_, {}, juggler::kSlowdownMin).mean;
    lane.head_since = lane.in_flight.empty() ? now_ : lane.head_since;
    lane.in_flight.push_back({.batch = static_cast<std::int64_t>(batch.id),
                              .profile = batch.profile,
                              .open = batch.tasks,
                              .mean = cost.mean,
                              .spread = cost.spread,
                              .there = now_});
    juggler::LaneLearned learned = *lane.learned;
    learned.add_batch(batch.profile, batch.tasks - 1, 50);
    lane.learned = std::make_shared<const juggler::LaneLearned>(learned);
    ends_.emplace((from + cost.mean).us, device);
  }
  void finish(std::uint32_t device) {
    juggler::DeviceState& state = fleet_.change(device);
    juggler::Lane& lane = state.lanes.front();
    const juggler::BatchInFlight batch = lane.in_flight.front();
    lane.in_flight.pop_front();
    lane.head_since = now_;
    juggler::LaneLearned learned = *lane.learned;
    learned.add_time(batch.profile, batch.mean, batch.mean * (950 + device % 100) / 1000, now_);
    lane.learned = std::make_shared<const juggler::LaneLearned>(learned);
    state.link.add(Micros{1'000 + device % 7 * 100}, juggler::LinkDelays{}, now_);
    send(device);
  }

  using End = std::pair<std::int64_t, std::uint32_t>;  // of a batch; device
  juggler::Fleet fleet_;
  Micros gap_;
  juggler::Time now_ = kNow;
  std::uint64_t batches_ = 0;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
};

struct Figures {
  std::string policy;
  bool moving = false;
  Size size;
  std::size_t decisions = 0;
  double us_p50 = 0;
  double us_p99 = 0;
};

Figures measure(const std::string& policy, Size size, bool moving, std::size_t decisions) {
  juggler::Planner planner(std::move(*juggler::make_policy(policy)));
  juggler::Fleet still = fleet_of(size, 1);
  take_half_of_the_windows(still);
  MovingFleet fleet(size);
  juggler::Rng rng(1);
  juggler::Requirements wanted;
  wanted.min_accuracy = juggler::MilliPercent{72'000};
  juggler::TaskView task;
  task.requirements = &wanted;
  task.model = "imagenet";
  task.payload = juggler::PayloadKind::Jpeg;
  std::vector<double> us;
  // The first tenth warms up: in a moving fleet, until lines, prices and what is learned are there.
  const std::size_t warm_up = moving ? decisions : decisions / 10;
  for (std::size_t i = 0; i < decisions + warm_up; ++i) {
    fleet.go_on();
    const juggler::Time now = moving ? fleet.now() : kNow;
    task.number = i + 1;
    task.deadline =
        now + Micros{(moving ? 300'000 : 50'000) + static_cast<std::int64_t>(i % 7) * 10'000};
    const auto begun = std::chrono::steady_clock::now();
    const juggler::Decision decision = planner.plan(moving ? fleet.fleet() : still, task, now, rng);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
    const auto* place = std::get_if<juggler::Place>(&decision);
    if (place == nullptr || place->candidate.accuracy < *wanted.min_accuracy ||
        place->candidate.finish > task.deadline) {
      std::cerr << "a decision of " << policy << " breaks the requirements: no figure\n";
      std::exit(1);
    }
    if (moving) {
      fleet.settle(task, place->candidate, planner.candidates());
    }
    if (i >= warm_up) {
      us.push_back(took.count());
    }
  }
  std::sort(us.begin(), us.end());
  return {policy, moving, size, us.size(), us[us.size() / 2], us[us.size() * 99 / 100]};
}

// How much longer a decision takes with a hundred times as many devices: 100 to that power. Linear
// growth is 1.
double growth(const Figures& ten, const Figures& thousand) {
  return std::log(thousand.us_p50 / ten.us_p50) / std::log(100.0);
}

}  // namespace

int main(int argc, char** argv) {
  std::string json_path;
  std::string only;
  std::size_t decisions = 20'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--json") {
      json_path = argv[i + 1];
    } else if (flag == "--decisions") {
      decisions = std::strtoul(argv[i + 1], nullptr, 10);
    } else if (flag == "--policy") {
      only = argv[i + 1];
    } else {
      std::cerr << "juggler-bench-plan [--json FILE] [--decisions N] [--policy NAME]\n";
      return 2;
    }
  }
  std::string json = "[";
  std::cout << fmt::format("{:<26} {:<7} {:>8} {:>9} {:>10} {:>10} {:>10}\n", "policy", "fleet",
                           "devices", "variants", "decisions", "p50 us", "p99 us");
  for (const juggler::PolicyEntry& entry : juggler::policies()) {
    for (const bool moving : {false, true}) {
      // Only `juggler` learns from what moves; the others look at everything, every time.
      if ((!only.empty() && entry.name != only) || (moving && entry.name != "juggler")) {
        continue;
      }
      std::vector<Figures> all;
      for (const Size size : {Size{10, 8}, Size{100, 8}, Size{1000, 8}, Size{1000, 12}}) {
        const bool few = size.devices == 1000 && entry.name != "juggler";
        const Figures f = measure(entry.name, size, moving, few ? decisions / 20 : decisions);
        all.push_back(f);
        std::cout << fmt::format("{:<26} {:<7} {:>8} {:>9} {:>10} {:>10.2f} {:>10.2f}\n", f.policy,
                                 moving ? "moving" : "still", size.devices, size.variants,
                                 f.decisions, f.us_p50, f.us_p99);
        json += fmt::format(
            "{}{{\"policy\":\"{}\",\"moving\":{},\"devices\":{},\"variants\":{},\"decisions\":{},"
            "\"plan_us_p50\":{:.3f},\"plan_us_p99\":{:.3f}}}",
            json.size() > 1 ? "," : "", f.policy, moving, size.devices, size.variants, f.decisions,
            f.us_p50, f.us_p99);
      }
      std::cout << fmt::format("{:<26} {:<7} grows with devices to the power of {:.2f}\n",
                               entry.name, moving ? "moving" : "still", growth(all[0], all[2]));
    }
  }
  if (!json_path.empty()) {
    std::ofstream(json_path) << json << "]\n";
  }
  return 0;
}
