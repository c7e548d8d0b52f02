#include "core/prices.h"

#include <algorithm>
#include <bit>

namespace juggler {
namespace {

constexpr int kRounds = 60;
constexpr std::int64_t kStepMw = 20'000;     // of the first round, for a processor asked for twice
constexpr std::int64_t kBusyPermille = 930;  // of its time: the rest is for chance
constexpr std::int64_t kPriceMaxMw = 1'000'000;

// One way to serve one class on one processor, per task.
struct Way {
  std::size_t lane = 0;
  std::int64_t energy_uj = 0;
  std::int64_t time_us = 0;
};

struct PricedLane {
  Lane* lane = nullptr;
  std::int64_t price_mw = 0;
  std::int64_t sum_mw = 0;    // of the last rounds
  std::int64_t busy_ppm = 0;  // in this round
};

int log2_of(Micros time) {
  const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count, 1));
  return static_cast<int>(std::bit_width(count)) - 1;
}

// The batch in which a class can run there: as large as batches become, and quick enough.
int batch_for(const ProfileCosts& costs, const ProfileLearned& learned, Micros deadline) {
  const std::int64_t usual =
      learned.batch_permille > 0 ? (learned.batch_permille + 999) / 1000 : costs.batch_max();
  int tasks = static_cast<int>(std::clamp<std::int64_t>(usual, 1, costs.batch_max()));
  while (tasks > 1 && costs.of(tasks).mean * 2 > deadline) {
    tasks -= 1;
  }
  return tasks;
}

bool may_serve(const Variant& variant, const TaskClass& demand) {
  return answers(variant, demand.model) && variant.accuracy.count >= demand.accuracy_floor &&
         (variant.weights == Weights::Pretrained || demand.allow_synthetic ||
          names_directly(variant, demand.model));
}

void ways_of(const TaskClass& demand, const DeviceState& device, std::size_t lane_index,
             std::size_t number, std::vector<Way>& ways) {
  const Lane& lane = device.lanes[lane_index];
  const Micros deadline{(std::int64_t{1} << demand.deadline_log2_us) * 3 / 2};
  for (std::size_t p = 0; p < lane.costs->size(); ++p) {
    const ProfileCosts& costs = (*lane.costs)[p];
    if (!may_serve(device.facts->variants[costs.variant], demand)) {
      continue;
    }
    const int tasks = batch_for(costs, lane.learned->profiles[p], deadline);
    const BatchCost batch = lane.expected(p, tasks);
    if (!batch.energy.has_value() || batch.mean + device.network() > deadline) {
      continue;
    }
    ways.push_back(
        {number, batch.energy->count / tasks, std::max<std::int64_t>(batch.mean.count / tasks, 1)});
  }
}

}  // namespace

bool TaskClass::same(const TaskView& task, int deadline_log2) const {
  const std::int64_t floor = task.requirements->min_accuracy.value_or(MilliPercent{0}).count;
  return accuracy_floor == floor && deadline_log2_us == deadline_log2 && model == task.model &&
         allow_synthetic == task.allow_synthetic;
}

void DemandBook::arrived(const TaskView& task, Time now) {
  const int deadline = log2_of(task.deadline - now);
  auto at = std::find_if(classes_.begin(), classes_.end(),
                         [&](const TaskClass& demand) { return demand.same(task, deadline); });
  if (at == classes_.end()) {
    if (classes_.size() < kClassesMax) {
      classes_.emplace_back();
      classes_.back().model = std::string(task.model);
      classes_.back().accuracy_floor =
          task.requirements->min_accuracy.value_or(MilliPercent{0}).count;
      classes_.back().deadline_log2_us = deadline;
      classes_.back().allow_synthetic = task.allow_synthetic;
    }
    at = classes_.end() - 1;
  }
  at->arrived += 1;
}

void DemandBook::update(Time now) {
  const Micros passed = now - updated_;
  updated_ = now;
  for (TaskClass& demand : classes_) {
    const std::int64_t now_mhz =
        demand.arrived * 1'000'000'000 / std::max<std::int64_t>(passed.count, 1);
    // Half of the news: a burst is believed within a second.
    demand.rate_mhz += (now_mhz - demand.rate_mhz) / 2;
    demand.arrived = 0;
  }
  std::erase_if(classes_, [](const TaskClass& demand) { return demand.rate_mhz < 10; });
}

void set_prices(const DemandBook& demand, Fleet& fleet) {
  std::vector<PricedLane> lanes;
  std::vector<std::vector<Way>> ways(demand.classes().size());
  for (DeviceState& device : fleet.devices) {
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      device.lanes[l].price_mw = device.liveness == Liveness::Live ? device.lanes[l].price_mw : 0;
      if (device.liveness != Liveness::Live) {
        continue;
      }
      for (std::size_t c = 0; c < ways.size(); ++c) {
        ways_of(demand.classes()[c], device, l, lanes.size(), ways[c]);
      }
      lanes.push_back({&device.lanes[l], device.lanes[l].price_mw});
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    for (PricedLane& lane : lanes) {
      lane.busy_ppm = 0;
    }
    for (std::size_t c = 0; c < ways.size(); ++c) {
      const Way* best = nullptr;
      std::int64_t best_uj = kUnservedUj;
      for (const Way& way : ways[c]) {
        const std::int64_t cost = way.energy_uj + lanes[way.lane].price_mw * way.time_us / 1000;
        if (cost < best_uj) {
          best_uj = cost;
          best = &way;
        }
      }
      if (best != nullptr) {
        lanes[best->lane].busy_ppm += demand.classes()[c].rate_mhz * best->time_us / 1000;
      }
    }
    const std::int64_t step = kStepMw * 8 / (8 + round);
    for (PricedLane& lane : lanes) {
      const std::int64_t over =
          std::clamp<std::int64_t>(lane.busy_ppm / 1000 - kBusyPermille, -1000, 1000);
      lane.price_mw = std::clamp<std::int64_t>(lane.price_mw + step * over / 1000, 0, kPriceMaxMw);
      lane.sum_mw += round >= kRounds / 2 ? lane.price_mw : 0;
    }
  }
  for (PricedLane& lane : lanes) {
    lane.lane->price_mw = lane.sum_mw / (kRounds - kRounds / 2);
  }
}

}  // namespace juggler
