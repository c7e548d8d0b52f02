// Prices of processor time, and what tasks ask for.

#include "core/prices.h"

#include <gtest/gtest.h>

#include "core/planner.h"
#include "core/timeline.h"
#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::variant;

// 2 W while it computes.
ShadowPrice price_of_two_watts() {
  const Fleet fleet =
      fleet_of({device("d").serves(variant("n-fp32", 75), milliseconds(10), energy_mj(20))});
  ShadowPrice price;
  price.set_scale(*fleet.devices()[0].lanes[0].costs);
  return price;
}

// By tasks of 5 ms each.
void ask_in_all(ShadowPrice& price, Micros time) {
  for (std::int64_t i = 0; i < time.count / 5'000; ++i) {
    price.ask(milliseconds(5), Time{});
  }
}

TEST(ShadowPrice, NothingAsked_NothingCosts) { EXPECT_EQ(price_of_two_watts().mw(Time{}), 0); }

TEST(ShadowPrice, RisesWithWhatIsAsked) {
  ShadowPrice price = price_of_two_watts();
  ask_in_all(price, milliseconds(50));
  EXPECT_EQ(price.mw(Time{}), 1'500);
  ask_in_all(price, milliseconds(50));
  EXPECT_EQ(price.mw(Time{}), 4'000);
}

TEST(ShadowPrice, FallsWhileTimePasses_AndNeverBelowNothing) {
  ShadowPrice price = price_of_two_watts();
  ask_in_all(price, milliseconds(95));
  EXPECT_EQ(price.mw(Time{} + milliseconds(50)), 1'400);
  EXPECT_EQ(price.mw(Time{} + milliseconds(100)), 0);
  EXPECT_EQ(price.mw(Time{} + seconds(100)), 0);
}

TEST(ShadowPrice, WhatIsAskedInTime_StaysCheap_WhatIsAskedBeyond_BecomesDear) {
  ShadowPrice half = price_of_two_watts();
  ShadowPrice twice = price_of_two_watts();
  for (int i = 0; i < 1'000; ++i) {
    half.ask(milliseconds(5), Time{} + milliseconds(10) * i);
    twice.ask(milliseconds(20), Time{} + milliseconds(10) * i);
  }
  EXPECT_LT(half.mw(Time{} + seconds(10)), 200);
  EXPECT_GT(twice.mw(Time{} + seconds(10)), 20'000);
}

// A price follows chance no more where a task takes seconds than where it takes milliseconds.
TEST(ShadowPrice, LongTasks_CountInTheirOwnMeasure) {
  ShadowPrice price = price_of_two_watts();
  for (int i = 0; i < 10; ++i) {
    price.ask(seconds(4), Time{});
  }
  EXPECT_LT(price.mw(Time{}), 2'000 * 4);
  EXPECT_FALSE(price.scarce(Time{}));
}

TEST(ShadowPrice, IsBounded_WhateverIsAsked) {
  ShadowPrice price = price_of_two_watts();
  for (int i = 0; i < 100; ++i) {
    price.ask(seconds(3600), Time{});
  }
  EXPECT_LE(price.mw(Time{}), 2'000 * 600);
}

TEST(ShadowPrice, NoEnergyKnown_HasAScaleAllTheSame) {
  const Fleet fleet = fleet_of({device("d").serves(variant("n-fp32", 75), milliseconds(10))});
  ShadowPrice price;
  price.set_scale(*fleet.devices()[0].lanes[0].costs);
  ask_in_all(price, milliseconds(100));
  EXPECT_EQ(price.mw(Time{}), 10'000);
}

class Asking : public testing::Test {
 protected:
  int priority = 0;

  // What a task asks of the only device.
  Candidate asked(Fleet& fleet, Micros deadline) {
    Requirements wanted;
    TaskView task;
    task.requirements = &wanted;
    task.model = "imagenet";
    task.payload = PayloadKind::Jpeg;
    task.deadline = Time{} + deadline;
    task.priority = priority;
    Rng rng(1);
    planner_.plan(fleet, task, Time{}, rng);
    return planner_.candidates().front();
  }

 private:
  Planner planner_{std::move(*make_policy("juggler"))};
};

TEST_F(Asking, CountsTheLineForNothing_AndThePriceForWhatItIs) {
  Fleet fleet =
      fleet_of({device("d").serves(variant("n-fp32", 75), milliseconds(10), energy_mj(20))});
  const Candidate free = asked(fleet, seconds(1));
  EXPECT_EQ(free.asks, milliseconds(10));
  EXPECT_EQ(free.asks_uj, 20'000);

  Lane& lane = fleet.change(0).lanes[0];
  lane.in_flight.push_back({.batch = 1, .open = 1, .mean = seconds(5)});
  ask_in_all(lane.price, milliseconds(100));
  const Candidate busy = asked(fleet, seconds(1));
  EXPECT_EQ(busy.verdict, Verdict::QueueTooLong);
  EXPECT_EQ(busy.asks, milliseconds(10));
  EXPECT_EQ(busy.asks_uj, 60'000);
}

// A processor of which half a second more was asked than it could do, by many tasks of 10 ms.
class Scarce : public Asking {
 protected:
  Fleet fleet =
      fleet_of({device("d").serves(variant("n-fp32", 75), milliseconds(10), energy_mj(20))});
  Lane& lane = fleet.change(0).lanes[0];

  Scarce() {
    for (int i = 0; i < 50; ++i) {
      lane.price.ask(milliseconds(10), Time{});
    }
  }
};

TEST_F(Scarce, Busy_IsTooDear) {
  lane.in_flight.push_back({.batch = 1, .open = 1, .mean = milliseconds(10)});
  EXPECT_EQ(asked(fleet, seconds(1)).verdict, Verdict::TooDear);
}

TEST_F(Scarce, Idle_IsNot) { EXPECT_EQ(asked(fleet, seconds(1)).verdict, Verdict::Meets); }

TEST_F(Scarce, UrgentTask_IsWorthMore) {
  lane.in_flight.push_back({.batch = 1, .open = 1, .mean = milliseconds(10)});
  priority = 2;
  EXPECT_EQ(asked(fleet, seconds(1)).verdict, Verdict::Meets);
}

// A line with one batch of one task, hoped to become four.
struct Hoping {
  Fleet fleet = fleet_of({device("d")
                              .batch_max(4)
                              .serves(variant("n-fp32"), milliseconds(50))
                              .point(4, milliseconds(80))});
  Lane& lane = fleet.change(0).lanes[0];
  Timeline timeline;

  explicit Hoping(Timeline::Size size) {
    lane.join(0, {.id = 1, .hoped = 4}, {.task = 1, .due = Time{100'000}}, 0);
    timeline.build(*lane.line, *lane.costs, *lane.learned, size, {}, 0);
  }
};

TEST(Timeline, RoomIsKeptForThoseWhoWillJoin) {
  const BatchCost other{
      .mean = milliseconds(40), .spread = {}, .energy = {}, .energy_high = {}, .load = {}};
  EXPECT_TRUE(Hoping(Timeline::Size::AsItIs).timeline.insert(0, Time{99'000}, other, 0).in_time);
  EXPECT_FALSE(Hoping(Timeline::Size::AsHoped).timeline.insert(0, Time{99'000}, other, 0).in_time);
}

TEST(Timeline, BatchThatIsOnlyLikelyToBeInTime_IsNotMadeLater) {
  DeviceFacts facts = device("d").serves(variant("n-fp32"), milliseconds(50));
  facts.processors[0].profiles[0].points[0].latency_p95 = milliseconds(80);
  Fleet fleet = fleet_of({facts});
  Lane& lane = fleet.change(0).lanes[0];
  Timeline timeline;
  const auto fits = [&](std::int64_t due_us) {
    lane.line = std::make_shared<const Line>();
    lane.members.clear();
    lane.join(0, {.id = 1}, {.task = 1, .due = Time{due_us}}, 0);
    timeline.build(*lane.line, *lane.costs, *lane.learned, Timeline::Size::AsItIs, {}, 0);
    const BatchCost other{
        .mean = milliseconds(1), .spread = {}, .energy = {}, .energy_high = {}, .load = {}};
    return timeline.insert(0, Time{due_us - 1}, other, 0).in_time;
  };
  EXPECT_TRUE(fits(200'000));
  EXPECT_FALSE(fits(80'000));  // by the mean after 50 ms, by the 99th percentile after 92
  EXPECT_TRUE(fits(40'000));   // late anyway
}

TEST(Timeline, Overtaking_LeavesTheOthersInTime) {
  Hoping scene(Timeline::Size::AsItIs);  // due at 100 ms, takes 50
  scene.lane.join(0, {.id = 2}, {.task = 2, .due = Time{400'000}}, 1);
  const auto may = [&](std::int64_t free_at_us) {
    scene.timeline.build(*scene.lane.line, *scene.lane.costs, *scene.lane.learned,
                         Timeline::Size::AsItIs,
                         {.free_at = Time{free_at_us}, .pace = {}, .link_free_at = {}}, 0);
    return scene.timeline.may_overtake(1);
  };
  EXPECT_TRUE(may(0));
  EXPECT_FALSE(may(1));
}

TEST(Timeline, LatestStart_LeavesTimeForAllBehind) {
  Hoping scene(Timeline::Size::AsItIs);
  EXPECT_EQ(scene.timeline.latest_start(0, 3000), Time{50'000});
  scene.lane.join(0, {.id = 2}, {.task = 2, .due = Time{110'000}}, 1);
  scene.timeline.build(*scene.lane.line, *scene.lane.costs, *scene.lane.learned,
                       Timeline::Size::AsItIs, {}, 0);
  EXPECT_EQ(scene.timeline.latest_start(0, 3000), Time{10'000});
  EXPECT_EQ(scene.timeline.first_late(), 2U);
}

}  // namespace
}  // namespace juggler
