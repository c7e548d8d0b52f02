// The search for the cheapest placement finds what the judgement of all candidates finds: random
// fleets that change from decision to decision, as the controller changes them, and random tasks.
// The planner keeps its indices all the while; the other side looks at everything, every time.

#include "core/cheapest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/planner.h"
#include "support/builders.h"

namespace juggler {
namespace {

constexpr int kSeeds = 30;
constexpr int kSteps = 600;

// Everything of a candidate but its position in the outlook, which is shorter for the search.
auto fields_of(const Candidate& c) {
  return std::tuple(c.device, c.lane, c.profile, c.verdict, c.accuracy, c.latency, c.finish,
                    c.energy, c.occupies, c.cost_uj, c.price_uj, c.queued, c.batch, c.tasks,
                    c.hoped, c.due, c.asks, c.asks_uj);
}

std::string text_of(const Decision& decision) {
  if (const auto* place = std::get_if<Place>(&decision)) {
    const Candidate& c = place->candidate;
    return fmt::format("device {} lane {} profile {} batch {} of {}, cost {} price {} finish {}",
                       c.device, c.lane, c.profile, c.batch, c.hoped, c.cost_uj, c.price_uj,
                       c.finish.us);
  }
  const auto* wait = std::get_if<Wait>(&decision);
  return wait != nullptr ? wait->reason : std::get<Infeasible>(decision).reason;
}

bool same(const Decision& a, const Decision& b) {
  const auto* place_a = std::get_if<Place>(&a);
  const auto* place_b = std::get_if<Place>(&b);
  if (place_a == nullptr || place_b == nullptr) {
    return a.index() == b.index() && text_of(a) == text_of(b);
  }
  return fields_of(place_a->candidate) == fields_of(place_b->candidate);
}

// What a task asks for, as the controller finds it among candidates.
const Candidate* asked_of(std::span<const Candidate> candidates, int priority,
                          const ExchangeRates& rates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (may_be_asked(candidate) && candidate.asks_uj < worth_of(priority, rates).count &&
        (best == nullptr || candidate.asks_uj < best->asks_uj)) {
      best = &candidate;
    }
  }
  return best;
}

// A fleet and its tasks, drawn from a seed.
class RandomFleet {
 public:
  RandomFleet(std::uint64_t seed, const std::string& policy)
      : rng_(seed),
        planner_(std::move(*make_policy(policy, {.goal = static_cast<Goal>(draw(4))}))),
        policy_(std::move(*make_policy(policy))) {
    const int devices = 1 + draw(one_in(4) ? 60 : 12);
    kinds_ = 1 + draw(4);
    for (int d = 0; d < devices; ++d) {
      hello(d);
    }
  }

  void run() {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      const int changes = draw(4);
      for (int i = 0; i < changes; ++i) {
        change();
      }
      // Tasks come slowly or in a rush: how long bounds hold follows that.
      if (one_in(150)) {
        pace_us_ = std::array{10, 2'000, 60'000}[static_cast<std::size_t>(draw(3))];
      }
      now_ = now_ + Micros{one_in(60) ? draw(15'000) : draw(pace_us_)};
      fleet_.arrivals.arrived(now_.us);
      decide();
    }
  }
  int placed() const { return placed_; }
  int refused() const { return refused_; }

 private:
  int draw(int bound) { return static_cast<int>(rng_.below(static_cast<std::uint64_t>(bound))); }
  bool one_in(int count) { return draw(count) == 0; }

  // Devices of one kind are equal, so that candidates tie.
  DeviceFacts facts_of(int number) {
    Rng kind(static_cast<std::uint64_t>(number % kinds_) * 7919 + 5);
    const auto of_kind = [&](int bound) {
      return static_cast<int>(kind.below(static_cast<std::uint64_t>(bound)));
    };
    test::DeviceBuilder device = test::device(fmt::format("d{:03}", number));
    device.window(1 + of_kind(3)).batch_max(1 << of_kind(4));
    const int variants = 1 + of_kind(6);
    for (int v = 0; v < variants; ++v) {
      const std::string id = fmt::format("net{}-fp32", v);
      const double accuracy = 60 + 5 * v;
      const Micros latency{500 + of_kind(40'000)};
      const bool known = of_kind(6) != 0;
      const double energy = 5 + of_kind(400);
      device.serves(of_kind(8) == 0 ? test::synthetic(id, accuracy) : test::variant(id, accuracy),
                    latency, known ? std::optional(test::energy_mj(energy, 0.1)) : std::nullopt,
                    mebibytes(of_kind(60)));
      // A larger batch takes longer, as a rule, and its energy is known, as a rule.
      const Micros full = of_kind(8) == 0 ? latency / 2 + Micros{1} : latency * (2 + of_kind(4));
      device.point(8, full,
                   known && of_kind(8) != 0 ? std::optional(test::energy_mj(energy * 3, 0.1))
                                            : std::nullopt);
    }
    DeviceFacts facts = device;
    for (Profile& profile : facts.processors.front().profiles) {
      profile.load = Micros{of_kind(3) == 0 ? of_kind(300'000) : 0};
      for (ProfilePoint& point : profile.points) {
        point.latency_p95 = point.latency_mean + point.latency_mean / (2 + of_kind(8));
      }
    }
    if (of_kind(3) == 0) {  // two processors that slow each other down
      Processor& first = facts.processors.front();
      Processor second = first;
      second.id = "cpu1";
      second.slowed_by = {{first.id, 1000 + of_kind(3000)}};
      first.slowed_by = {{second.id, 1000 + of_kind(3000)}};
      facts.processors.push_back(std::move(second));
    }
    return facts;
  }

  void hello(int number) {
    DeviceFacts facts = facts_of(number);
    DeviceState& device = fleet_.at_or_insert(facts.id);
    device.lanes.clear();
    device.liveness = Liveness::Live;
    for (const Processor& processor : facts.processors) {
      Lane lane;
      lane.costs = std::make_shared<const LaneCosts>(costs_of(facts, processor));
      lane.price.set_scale(*lane.costs);
      LaneLearned learned(processor.profiles.size());
      for (ProfileLearned& profile : learned.profiles) {
        profile.loaded = !one_in(4);
      }
      lane.learned = std::make_shared<const LaneLearned>(learned);
      device.lanes.push_back(std::move(lane));
    }
    device.facts = std::make_shared<const DeviceFacts>(std::move(facts));
  }

  // One thing that happens in a fleet.
  void change() {
    const auto position = static_cast<std::size_t>(draw(static_cast<int>(fleet_.devices().size())));
    if (one_in(150)) {
      hello(draw(60));
      return;
    }
    DeviceState& device = fleet_.change(position);
    Lane& lane =
        device.lanes[static_cast<std::size_t>(draw(static_cast<int>(device.lanes.size())))];
    const auto profile = static_cast<std::size_t>(draw(static_cast<int>(lane.costs->size())));
    switch (draw(8)) {
      case 0:
        send(device, lane);
        break;
      case 1:
        finish(device, lane);
        break;
      case 2:
        lane.price.ask(Micros{draw(200'000)}, now_);
        break;
      case 3:
        lane.price.add(Micros{draw(20'000)}, now_);
        break;
      case 4: {
        LaneLearned learned = *lane.learned;
        learned.add_batch(profile, draw(8), draw(200));
        learned.profiles[profile].loaded = !one_in(8);
        lane.learned = std::make_shared<const LaneLearned>(learned);
        break;
      }
      case 5:
        device.liveness = one_in(4) ? static_cast<Liveness>(draw(5)) : Liveness::Live;
        break;
      case 6:
        device.memory_free = one_in(3) ? std::optional(mebibytes(draw(60))) : std::nullopt;
        break;
      default:
        device.fade(now_, milliseconds(50));
        break;
    }
  }

  void send(DeviceState& device, Lane& lane) {
    if (lane.line->empty()) {
      return;
    }
    const OpenBatch batch = lane.line->front();
    lane.take(batch.id);
    const BatchCost cost = lane.expected(batch.profile, batch.tasks, kSlowdownMin);
    lane.in_flight.push_back({.batch = static_cast<std::int64_t>(batch.id),
                              .profile = batch.profile,
                              .open = batch.tasks,
                              .mean = cost.takes(),
                              .spread = cost.spread,
                              .there = now_});
    lane.head_since = lane.in_flight.size() == 1 ? now_ : lane.head_since;
    last_delays_ = device.link.send(Bytes{batch.bytes}, now_);
  }

  void finish(DeviceState& device, Lane& lane) {
    if (lane.in_flight.empty()) {
      return;
    }
    const BatchInFlight batch = lane.in_flight.front();
    lane.in_flight.pop_front();
    lane.head_since = now_;
    LaneLearned learned = *lane.learned;
    learned.add_time(batch.profile, batch.mean + Micros{1},
                     batch.mean * (500 + draw(1500)) / 1000 + Micros{1}, now_);
    lane.learned = std::make_shared<const LaneLearned>(learned);
    device.link.add(Micros{draw(8'000)}, last_delays_, now_);
  }

  void decide() {
    Requirements wanted;
    wanted.priority = one_in(3) ? draw(10) : 0;
    if (!one_in(3)) {
      wanted.min_accuracy = MilliPercent{58'000 + draw(32) * 1'000};
    }
    if (one_in(5)) {
      wanted.max_energy = Microjoules{draw(400) * 1'000};
    }
    const std::vector<std::string> failed{fmt::format("d{:03}", draw(12))};
    const int deadline_us = one_in(3) ? draw(30'000) : draw(3'000'000);
    const TaskView task{.number = ++tasks_,
                        .requirements = &wanted,
                        .model = one_in(8) ? "net2" : "imagenet",
                        .allow_synthetic = one_in(4),
                        .payload = one_in(10) ? PayloadKind::FloatTensor : PayloadKind::Jpeg,
                        .bytes = one_in(2) ? 0 : draw(200'000),
                        .priority = wanted.priority,
                        .deadline = now_ + Micros{deadline_us},
                        .deadline_stated = !one_in(4),
                        .devices_failed = one_in(5) ? &failed : nullptr};
    Rng unused(1);
    const Decision found = planner_.plan(fleet_, task, now_, unused);
    std::vector<Candidate> all;
    const Decision expected = exhaustive(task, all);
    ASSERT_TRUE(same(found, expected))
        << "task " << tasks_ << ": " << text_of(found) << ", not " << text_of(expected);
    const Candidate* asked =
        asked_of(planner_.candidates(), task.priority, planner_.objective().rates);
    const Candidate* least = asked_of(all, task.priority, planner_.objective().rates);
    ASSERT_EQ(asked != nullptr, least != nullptr) << "task " << tasks_;
    ASSERT_TRUE(asked == nullptr || fields_of(*asked) == fields_of(*least)) << "task " << tasks_;
    settle(task, found);
  }

  Decision exhaustive(const TaskView& task, std::vector<Candidate>& candidates) {
    LaneTable lanes;
    lanes.follow(fleet_);
    Outlook outlook;
    look(lanes.lanes(), task, now_, outlook);
    outlook.arrival_gap_us = fleet_.arrivals.gap_us(now_.us);
    const auto judged = [&] {
      Judge().judge({outlook, task, planner_.objective(), now_}, Judge::Detail::Enough, candidates);
      const Situation all{fleet_, outlook, candidates, task, now_};
      Rng unused(1);
      return policy_->plan(all, unused);
    };
    Decision decision = judged();
    check_bounds({outlook, task, planner_.objective(), now_}, candidates);
    if (!std::holds_alternative<Place>(decision) && task.priority > 0 &&
        fleet_.has_work_below(task.priority)) {
      outlook.over_lower_priorities = true;
      decision = judged();
    }
    return decision;
  }

  // No candidate costs or asks less than the bound of its processor says, which was worked out when
  // its processor changed last, or a while ago.
  void check_bounds(const Question& question, const std::vector<Candidate>& candidates) {
    const MilliPercent floor = question.task.requirements->min_accuracy.value_or(MilliPercent{0});
    const TaskKind kind = kind_of(question.task, floor, now_, question.outlook.arrival_gap_us);
    auto at = std::find_if(bounds_.begin(), bounds_.end(),
                           [&kind](const auto& bounds) { return bounds->kind() == kind; });
    if (at == bounds_.end()) {
      at = bounds_.insert(at, std::make_unique<LaneBounds>(kind));
    }
    lanes_.follow(fleet_);
    (*at)->follow(lanes_, question);
    for (const Candidate& candidate : candidates) {
      const Bound& bound = (*at)->node((*at)->leaves() + candidate.seen);
      const std::int64_t cost =
          candidate.total_uj() + (candidate.energy.has_value() ? 0 : kEnergyUnknown);
      if (choosable(candidate)) {
        ASSERT_LE(bound.cost, cost) << "task " << tasks_ << " on device " << candidate.device;
        ASSERT_TRUE(bound.cost < cost || now_ + bound.finish <= candidate.finish);
      }
      if (may_be_asked(candidate)) {
        ASSERT_LE(bound.ask, candidate.asks_uj) << "task " << tasks_;
      }
    }
  }

  // As the controller does: the task stands in line, and has asked for its cheapest way.
  void settle(const TaskView& task, const Decision& decision) {
    if (const Candidate* asked =
            asked_of(planner_.candidates(), task.priority, planner_.objective().rates)) {
      fleet_.change(asked->device).lanes[asked->lane].price.ask(asked->asks, now_);
    }
    const auto* place = std::get_if<Place>(&decision);
    (place != nullptr ? placed_ : refused_) += 1;
    if (place == nullptr) {
      return;
    }
    const Candidate& chosen = place->candidate;
    OpenBatch fresh;
    fresh.id = chosen.batch != 0 ? chosen.batch : ++batches_;
    fresh.profile = chosen.profile;
    fresh.hoped = chosen.hoped;
    fleet_.change(chosen.device)
        .lanes[chosen.lane]
        .join(chosen.batch, fresh,
              {.task = task.number,
               .priority = task.priority,
               .due = chosen.due,
               .patient = task.deadline_stated,
               .bytes = task.bytes},
              chosen.position);
  }

  Rng rng_;
  Planner planner_;
  std::unique_ptr<Policy> policy_;
  Fleet fleet_;
  LaneTable lanes_;
  std::vector<std::unique_ptr<LaneBounds>> bounds_;
  int kinds_ = 1;
  int pace_us_ = 2'000;
  Time now_{1'000'000};
  LinkDelays last_delays_{};
  std::uint64_t tasks_ = 0;
  std::uint64_t batches_ = 0;
  int placed_ = 0;
  int refused_ = 0;
};

TEST(Cheapest, RandomFleets_TheSearchDecidesAsTheJudgementOfAll) {
  for (const std::string policy :
       {"juggler", "juggler-no-energy", "juggler-no-batching", "juggler-no-prices"}) {
    int placed = 0;
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      SCOPED_TRACE(fmt::format("policy {}, seed {}", policy, seed));
      RandomFleet fleet(seed, policy);
      fleet.run();
      if (HasFailure()) {
        return;
      }
      placed += fleet.placed();
      refused += fleet.refused();
    }
    // The worlds show both: what is placed, and what nobody can take.
    EXPECT_GT(placed, kSeeds * kSteps / 10) << policy;
    EXPECT_GT(refused, kSeeds * kSteps / 50) << policy;
  }
}

// Equal devices, all idle: the lowest id has it, and the others are not looked at one by one.
TEST(Cheapest, EqualDevices_TheFirstIsTaken_AndFewAreLookedAt) {
  std::vector<DeviceFacts> devices;
  for (int d = 0; d < 500; ++d) {
    devices.push_back(
        test::device(fmt::format("d{:03}", d))
            .serves(test::variant("net-fp32"), milliseconds(20), test::energy_mj(50)));
  }
  const Fleet fleet = test::fleet_of(std::move(devices));
  Planner planner(std::move(*make_policy("juggler")));
  Requirements wanted;
  const TaskView task{.requirements = &wanted,
                      .model = "imagenet",
                      .payload = PayloadKind::Jpeg,
                      .deadline = Time{} + seconds(1)};
  Rng rng(1);
  const Decision decision = planner.plan(fleet, task, Time{}, rng);
  ASSERT_TRUE(std::holds_alternative<Place>(decision));
  EXPECT_EQ(std::get<Place>(decision).candidate.device, 0U);
  EXPECT_EQ(planner.candidates().size(), 1U);
}

}  // namespace
}  // namespace juggler
