// Queues, predictions' corrections, and the order of devices.

#include <gtest/gtest.h>

#include "core/fleet.h"
#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::fleet_of;
using test::variant;

Lane lane_with(std::vector<Micros> expected, Time head_since) {
  Lane lane;
  lane.head_since = head_since;
  for (const Micros one : expected) {
    lane.in_flight.push_back({.batch = 1, .open = 1, .mean = one});
  }
  return lane;
}

TEST(Lane, Idle_HasNoBacklog) {
  EXPECT_EQ(lane_with({}, Time{0}).backlog(Time{50}, {}, kSlowdownMin).mean, Micros{0});
}

// Of 100 us the first has 60 left; the second is there only 90 us from now.
TEST(Lane, WhatIsOnItsWay_CannotRunBeforeItIsThere) {
  Lane lane = lane_with({Micros{100}, Micros{30}}, Time{0});
  lane.in_flight[1].there = Time{130};
  EXPECT_EQ(lane.backlog(Time{40}, {}, kSlowdownMin).mean, Micros{120});
  EXPECT_EQ(lane.backlog(Time{150}, {}, kSlowdownMin).mean,
            Micros{80});  // the first is late by 50 us
}

TEST(Lane, Busy_IsFreeAfterWhatIsInFlight) {
  EXPECT_EQ(lane_with({Micros{100}, Micros{30}}, Time{0}).backlog(Time{40}, {}, kSlowdownMin).mean,
            Micros{90});
}

TEST(Lane, HeadOverdue_IsExpectedToTakeAsLongAgainAsItIsLate) {
  EXPECT_EQ(lane_with({Micros{100}, Micros{30}}, Time{0}).backlog(Time{150}, {}, kSlowdownMin).mean,
            Micros{80});
}

TEST(Lane, ResultOnItsWayBack_IsNotOverdue) {
  const Lane lane = lane_with({Micros{100}, Micros{30}}, Time{0});
  EXPECT_EQ(lane.backlog(Time{110}, Micros{50}, kSlowdownMin).mean, Micros{20});  // the second runs
  EXPECT_EQ(lane.backlog(Time{150}, Micros{50}, kSlowdownMin).mean, Micros{0});
  EXPECT_EQ(lane.backlog(Time{220}, Micros{50}, kSlowdownMin).mean,
            Micros{50});  // it is late by 70 us
}

TEST(Lane, Backlog_AddsVariancesNotSpreads) {
  Lane lane = lane_with({Micros{100}, Micros{100}}, Time{0});
  lane.in_flight[0].spread = Micros{3};
  lane.in_flight[1].spread = Micros{4};
  EXPECT_EQ(lane.backlog(Time{0}, {}, kSlowdownMin).variance_us2, 25);
  EXPECT_EQ(margin_of(25, 2000), Micros{10});
}

Member member(std::uint64_t task, std::int64_t due_us, int priority = 0) {
  return {.task = task, .priority = priority, .due = Time{due_us}, .patient = true};
}

TEST(Lane, Line_IsInTheOrderInWhichBatchesRun) {
  Lane lane;
  lane.join(0, {.id = 1}, member(10, 500), 0);
  lane.join(0, {.id = 2}, member(11, 300), 0);
  ASSERT_EQ(lane.line->size(), 2U);
  EXPECT_EQ((*lane.line)[0].id, 2U);
  lane.join(1, {}, member(12, 100, 4), 0);  // makes its batch the more urgent one
  EXPECT_EQ((*lane.line)[0].id, 1U);
  EXPECT_EQ((*lane.line)[0].tasks, 2);
  EXPECT_EQ((*lane.line)[0].due, Time{100});
  EXPECT_EQ((*lane.line)[0].priority, 4);
  lane.leave(1, 12);
  EXPECT_EQ((*lane.line)[0].due, Time{500});
  EXPECT_EQ((*lane.line)[0].priority, 0);
  lane.move_back(0, 1);
  EXPECT_EQ((*lane.line)[1].id, 1U);
  EXPECT_EQ(lane.members_of(1).size(), 1U);
}

TEST(Lane, LastTaskLeaves_TheBatchIsGone) {
  Lane lane;
  lane.join(0, {.id = 1}, member(10, 500), 0);
  lane.leave(1, 10);
  EXPECT_TRUE(lane.line->empty());
  EXPECT_TRUE(lane.members.empty());
}

TEST(Lane, Line_LeavesTheOldOneToWhoHoldsIt) {
  Lane lane;
  lane.join(0, {.id = 1}, member(10, 500), 0);
  const std::shared_ptr<const Line> kept = lane.line;
  lane.join(1, {}, member(11, 400), 0);
  EXPECT_EQ(kept->front().tasks, 1);
}

TEST(LaneLearned, Correction_FollowsWhatIsMeasured) {
  LaneLearned learned(2);
  for (int i = 0; i < 100; ++i) {
    learned.add_time(0, Micros{1000}, Micros{3000}, Time{0});
  }
  EXPECT_NEAR(static_cast<double>(learned.correction(0)), 3000, 20);
}

TEST(LaneLearned, OneVariantsSlowness_CorrectsTheOthersToo) {
  LaneLearned learned(2);
  for (int i = 0; i < 10; ++i) {
    learned.add_time(0, Micros{1000}, Micros{2500}, Time{0});
  }
  EXPECT_GT(learned.correction(1), 1800);
}

TEST(LaneLearned, OneOddResult_MovesTheCorrectionByLittle) {
  LaneLearned learned(1);
  learned.add_time(0, Micros{1000}, seconds(100), Time{0});
  EXPECT_LT(learned.correction(0), 3000);
}

TEST(LaneLearned, ThirdSurpriseInARow_IsBelieved) {
  LaneLearned learned(1);
  for (int i = 0; i < 8; ++i) {
    learned.add_time(0, Micros{1000}, Micros{2500}, Time{0});
  }
  EXPECT_NEAR(static_cast<double>(learned.correction(0)), 2500, 250);
}

TEST(LaneLearned, PredictionOfZero_DoesNotDivideByIt) {
  LaneLearned learned(1);
  learned.add_time(0, Micros{0}, Micros{0}, Time{0});
  EXPECT_GE(learned.correction(0), 0);
}

TEST(LaneLearned, NothingConfirmsIt_AllOfItFades) {
  LaneLearned learned(1);
  for (int i = 0; i < 20; ++i) {
    learned.add_time(0, Micros{1000}, Micros{i % 2 == 0 ? 3000 : 6000}, Time{0});
    learned.add_batch(0, 0, 8);
  }
  const BatchCost plain{
      .mean = Micros{1000}, .spread = {}, .energy = {}, .energy_high = {}, .load = {}};
  EXPECT_GT(corrected(plain, learned, 0, kSlowdownMin).spread, Micros{300});
  for (int i = 0; i < 80; ++i) {
    learned.fade(Time{10'000'000}, seconds(10));
  }
  EXPECT_NEAR(static_cast<double>(corrected(plain, learned, 0, kSlowdownMin).mean.count), 1000, 20);
  EXPECT_LT(corrected(plain, learned, 0, kSlowdownMin).spread, Micros{20});
  EXPECT_GT(learned.profiles[0].fill_permille(), 980);
}

TEST(LaneLearned, ConfirmedOfLate_DoesNotFade) {
  LaneLearned learned(1);
  learned.add_time(0, Micros{1000}, Micros{3000}, Time{5'000'000});
  const LaneLearned before = learned;
  learned.fade(Time{14'999'999}, seconds(10));
  EXPECT_EQ(learned, before);
}

TEST(LaneLearned, OneHiccup_LeavesLittleScatter) {
  LaneLearned learned(1);
  for (int i = 0; i < 8; ++i) {
    learned.add_time(0, Micros{1000}, Micros{1000}, Time{0});
  }
  learned.add_time(0, Micros{1000}, seconds(1), Time{0});
  EXPECT_LE(learned.profiles[0].spread_permille, 80);
}

TEST(LaneLearned, Fill_IsHowManyOfThoseWhoComeJoin) {
  LaneLearned learned(1);
  for (int i = 0; i < 100; ++i) {
    learned.add_batch(0, 3, 12);
  }
  EXPECT_NEAR(static_cast<double>(learned.profiles[0].fill_permille()), 250, 10);
  for (int i = 0; i < 100; ++i) {
    learned.add_batch(0, 7, 7);
  }
  EXPECT_GT(learned.profiles[0].fill_permille(), 950);
}

TEST(LaneLearned, NobodyEverComes_FillIsStillAShare) {
  LaneLearned learned(1);
  for (int i = 0; i < 1000; ++i) {
    learned.add_batch(0, 0, 0);
  }
  EXPECT_GE(learned.profiles[0].fill_permille(), 0);
  EXPECT_LE(learned.profiles[0].fill_permille(), 1000);
}

TEST(LaneLearned, VariantNotLoaded_TakesItsLoadFirst) {
  const BatchCost cost{.mean = Micros{1000},
                       .spread = {},
                       .energy = {},
                       .energy_high = {},
                       .load = milliseconds(300)};
  LaneLearned learned(1);
  EXPECT_EQ(corrected(cost, learned, 0, kSlowdownMin).takes(), Micros{301'000});
  learned.profiles[0].loaded = true;
  EXPECT_EQ(corrected(cost, learned, 0, kSlowdownMin).takes(), Micros{1000});
}

TEST(LaneLearned, AbsurdTimes_StayWithinWhatCanBeSquared) {
  const BatchCost absurd{.mean = seconds(600 * 64),
                         .spread = seconds(600 * 64),
                         .energy = {},
                         .energy_high = {},
                         .load = {}};
  const BatchCost real = corrected(absurd, LaneLearned(1), 0, kSlowdownMin);
  EXPECT_LE(real.spread, seconds(30));
  EXPECT_LE(real.mean, seconds(3600));
}

TEST(ArrivalRate, Silence_IsNotTakenForAStream) {
  ArrivalRate rate;
  EXPECT_EQ(rate.gap_us(0), ArrivalRate::kNever);
  for (int i = 0; i < 100; ++i) {
    rate.arrived(i * 1000);
  }
  EXPECT_NEAR(static_cast<double>(rate.gap_us(99'500)), 1000, 40);
  EXPECT_EQ(rate.gap_us(5'099'000), 5'000'000);
}

TEST(MovingMean, FirstSample_IsTheMean) {
  MovingMean mean;
  mean.add(800);
  EXPECT_EQ(mean.mean(), 800);
  mean.add(1600);
  EXPECT_EQ(mean.mean(), 900);
}

TEST(DeviceState, NetworkWithoutSamples_IsTheAssumption) {
  EXPECT_EQ(DeviceState().network(), kNetworkDefault);
}

TEST(DeviceState, NetworkWithSamples_IsTheirMean) {
  DeviceState state;
  state.link.add(Micros{1234}, LinkDelays{}, Time{});
  EXPECT_EQ(state.network(), Micros{1234});
}

TEST(Fleet, Devices_AreSortedByIdWhateverTheOrderOfArrival) {
  const Fleet fleet = fleet_of({device("c"), device("a"), device("b")});
  ASSERT_EQ(fleet.devices().size(), 3U);
  EXPECT_EQ(fleet.devices()[0].facts->id, "a");
  EXPECT_EQ(fleet.devices()[2].facts->id, "c");
}

TEST(Fleet, Find_FindsOnlyWhatIsThere) {
  Fleet fleet = fleet_of({device("b")});
  EXPECT_NE(fleet.find("b"), nullptr);
  EXPECT_EQ(fleet.find("a"), nullptr);
  EXPECT_EQ(fleet.find("c"), nullptr);
}

TEST(Fleet, AtOrInsert_MakesADeviceOnce) {
  Fleet fleet;
  fleet.at_or_insert("x");
  fleet.at_or_insert("x");
  EXPECT_EQ(fleet.devices().size(), 1U);
}

}  // namespace
}  // namespace juggler
