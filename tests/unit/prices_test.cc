// Prices of processor time, and the room that lines keep.

#include "core/prices.h"

#include <gtest/gtest.h>

#include "core/timeline.h"
#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::variant;

// A frugal processor that serves 100 tasks a second, and a hungry one that serves as many.
Fleet two() {
  return fleet_of(
      {device("frugal").serves(variant("n-fp32", 75), milliseconds(10), energy_mj(20)),
       device("hungry").serves(variant("n-fp32", 75), milliseconds(10), energy_mj(50))});
}

// Half a second of tasks at this rate, until the book believes it.
void ask(DemandBook& book, int per_second, double floor_percent = 0, Time start = Time{0}) {
  Requirements wanted;
  wanted.min_accuracy = MilliPercent{static_cast<std::int64_t>(floor_percent * 1000)};
  TaskView task;
  task.requirements = &wanted;
  task.model = "imagenet";
  task.deadline = Time{200'000};
  for (int round = 1; round <= 8; ++round) {
    for (int i = 0; i < per_second / 2; ++i) {
      book.arrived(task, Time{0});
    }
    book.update(start + milliseconds(500) * round);
  }
}

std::int64_t price_of(const Fleet& fleet, const char* id) {
  return fleet.find(id)->lanes[0].price_mw;
}

void settle(const DemandBook& book, Fleet& fleet) {
  for (int i = 0; i < 40; ++i) {
    set_prices(book, fleet);
  }
}

TEST(Prices, EnoughForAll_CostNothing) {
  DemandBook book;
  ask(book, 60);
  Fleet fleet = two();
  settle(book, fleet);
  EXPECT_EQ(price_of(fleet, "frugal"), 0);
  EXPECT_EQ(price_of(fleet, "hungry"), 0);
}

TEST(Prices, MoreThanTheFrugalOneCanDo_ItsTimeIsWorthWhatItSaves) {
  DemandBook book;
  ask(book, 140);
  Fleet fleet = two();
  settle(book, fleet);
  // 30 mJ less for each 10 ms: 3 W.
  EXPECT_NEAR(static_cast<double>(price_of(fleet, "frugal")), 3'000, 300);
  EXPECT_LT(price_of(fleet, "hungry"), 1'000);  // the method swings about its optimum
}

TEST(Prices, MoreThanAllCanDo_TheirTimeIsWorthWhatATaskIs) {
  DemandBook book;
  ask(book, 300);
  Fleet fleet = two();
  settle(book, fleet);
  // 500 mJ for a task unserved, less its energy, per 10 ms.
  EXPECT_NEAR(static_cast<double>(price_of(fleet, "frugal")), 48'000, 6'000);
  EXPECT_NEAR(static_cast<double>(price_of(fleet, "hungry")), 45'000, 6'000);
}

TEST(Prices, DemandThatNobodyCanMeet_CostsNobody) {
  DemandBook book;
  ask(book, 300, 90);
  Fleet fleet = two();
  settle(book, fleet);
  EXPECT_EQ(price_of(fleet, "frugal"), 0);
}

TEST(Prices, LostDevice_HasNone) {
  DemandBook book;
  ask(book, 300);
  Fleet fleet = two();
  settle(book, fleet);
  fleet.find("frugal")->liveness = Liveness::Lost;
  settle(book, fleet);
  EXPECT_EQ(price_of(fleet, "frugal"), 0);
}

TEST(DemandBook, TellsClassesApartAndForgetsThem) {
  DemandBook book;
  ask(book, 100);
  ask(book, 50, 70, Time{4'000'000});
  ASSERT_EQ(book.classes().size(), 2U);
  EXPECT_NEAR(static_cast<double>(book.classes()[1].rate_mhz), 50'000'000 / 1000, 500);
  for (int i = 1; i <= 40; ++i) {
    book.update(Time{8'000'000} + milliseconds(500) * i);
  }
  EXPECT_TRUE(book.classes().empty());
}

TEST(DemandBook, WhatCameDuringAnOutage_CountsOverAllOfIt) {
  DemandBook book;
  ask(book, 100);
  Requirements wanted;
  TaskView task;
  task.requirements = &wanted;
  task.model = "imagenet";
  task.deadline = Time{200'000};
  for (int i = 0; i < 6'000; ++i) {
    book.arrived(task, Time{0});
  }
  book.update(Time{64'000'000});
  EXPECT_NEAR(static_cast<double>(book.classes()[0].rate_mhz), 100'000, 2'000);
}

// A line with one batch of one task, hoped to become four.
struct Hoping {
  Fleet fleet = fleet_of({device("d")
                              .batch_max(4)
                              .serves(variant("n-fp32"), milliseconds(50))
                              .point(4, milliseconds(80))});
  Lane& lane = fleet.devices[0].lanes[0];
  Timeline timeline;

  explicit Hoping(Timeline::Size size) {
    lane.join(0, {.id = 1, .hoped = 4}, {.task = 1, .due = Time{100'000}});
    timeline.build(*lane.line, *lane.costs, *lane.learned, size, Time{0}, 0, 0);
  }
};

TEST(Timeline, RoomIsKeptForThoseWhoWillJoin) {
  const BatchCost other{.mean = milliseconds(40), .spread = {}, .energy = {}, .energy_high = {}};
  EXPECT_TRUE(Hoping(Timeline::Size::AsItIs).timeline.insert(0, Time{99'000}, other).in_time);
  EXPECT_FALSE(Hoping(Timeline::Size::AsHoped).timeline.insert(0, Time{99'000}, other).in_time);
}

TEST(Timeline, BatchThatIsOnlyLikelyToBeInTime_IsNotMadeLater) {
  DeviceFacts facts = device("d").serves(variant("n-fp32"), milliseconds(50));
  facts.processors[0].profiles[0].points[0].latency_p95 = milliseconds(80);
  Fleet fleet = fleet_of({facts});
  Lane& lane = fleet.devices[0].lanes[0];
  Timeline timeline;
  const auto fits = [&](std::int64_t due_us) {
    lane.line = std::make_shared<const Line>();
    lane.members.clear();
    lane.join(0, {.id = 1}, {.task = 1, .due = Time{due_us}});
    timeline.build(*lane.line, *lane.costs, *lane.learned, Timeline::Size::AsItIs, Time{0}, 0, 0);
    const BatchCost other{.mean = milliseconds(1), .spread = {}, .energy = {}, .energy_high = {}};
    return timeline.insert(0, Time{due_us - 1}, other).in_time;
  };
  EXPECT_TRUE(fits(200'000));
  EXPECT_FALSE(fits(80'000));  // by the mean after 50 ms, by the 99th percentile after 92
  EXPECT_TRUE(fits(40'000));   // late anyway
}

TEST(Timeline, Overtaking_LeavesTheOthersInTime) {
  Hoping scene(Timeline::Size::AsItIs);  // due at 100 ms, takes 50
  scene.lane.join(0, {.id = 2}, {.task = 2, .due = Time{400'000}});
  const auto may = [&](std::int64_t free_at_us) {
    scene.timeline.build(*scene.lane.line, *scene.lane.costs, *scene.lane.learned,
                         Timeline::Size::AsItIs, Time{free_at_us}, 0, 0);
    return scene.timeline.may_overtake(1);
  };
  EXPECT_TRUE(may(0));
  EXPECT_FALSE(may(1));
}

TEST(Timeline, LatestStart_LeavesTimeForAllBehind) {
  Hoping scene(Timeline::Size::AsItIs);
  EXPECT_EQ(scene.timeline.latest_start(0, 3000), Time{50'000});
  scene.lane.join(0, {.id = 2}, {.task = 2, .due = Time{110'000}});
  scene.timeline.build(*scene.lane.line, *scene.lane.costs, *scene.lane.learned,
                       Timeline::Size::AsItIs, Time{0}, 0, 0);
  EXPECT_EQ(scene.timeline.latest_start(0, 3000), Time{10'000});
  EXPECT_EQ(scene.timeline.first_late(), 2U);
}

}  // namespace
}  // namespace juggler
