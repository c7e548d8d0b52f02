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
  lane.corrections = std::make_shared<const Corrections>(1, 1000);
  lane.head_since = head_since;
  for (const Micros one : expected) {
    lane.in_flight.push_back({.attempt = {}, .expected = one});
  }
  return lane;
}

TEST(Lane, Idle_IsFreeNow) { EXPECT_EQ(lane_with({}, Time{0}).free_at(Time{50}), Time{50}); }

TEST(Lane, Busy_IsFreeAfterWhatIsInFlight) {
  EXPECT_EQ(lane_with({Micros{100}, Micros{30}}, Time{0}).free_at(Time{40}), Time{130});
}

TEST(Lane, HeadOverdue_CountsAsAboutToFinish) {
  EXPECT_EQ(lane_with({Micros{100}, Micros{30}}, Time{0}).free_at(Time{500}), Time{530});
}

TEST(Lane, Correction_FollowsWhatIsMeasured) {
  Lane lane = lane_with({}, Time{0});
  for (int i = 0; i < 100; ++i) {
    lane.correct(0, Micros{1000}, Micros{3000});
  }
  EXPECT_NEAR(static_cast<double>((*lane.corrections)[0]), 3000, 10);
}

TEST(Lane, OneOddResult_MovesTheCorrectionByAnEighthOfTenAtMost) {
  Lane lane = lane_with({}, Time{0});
  lane.correct(0, Micros{1000}, seconds(100));
  EXPECT_EQ((*lane.corrections)[0], 1000 + 9000 / 8);
}

TEST(Lane, PredictionOfZero_DoesNotDivideByIt) {
  Lane lane = lane_with({}, Time{0});
  lane.correct(0, Micros{0}, Micros{0});
  EXPECT_GE((*lane.corrections)[0], 0);
}

TEST(Lane, Correction_LeavesTheOldOnesToWhoHoldsThem) {
  Lane lane = lane_with({}, Time{0});
  const std::shared_ptr<const Corrections> kept = lane.corrections;
  lane.correct(0, Micros{1000}, Micros{3000});
  EXPECT_EQ((*kept)[0], 1000);
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
  state.network_us.add(1234);
  EXPECT_EQ(state.network(), Micros{1234});
}

TEST(Fleet, Devices_AreSortedByIdWhateverTheOrderOfArrival) {
  const Fleet fleet = fleet_of({device("c"), device("a"), device("b")});
  ASSERT_EQ(fleet.devices.size(), 3U);
  EXPECT_EQ(fleet.devices[0].facts->id, "a");
  EXPECT_EQ(fleet.devices[2].facts->id, "c");
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
  EXPECT_EQ(fleet.devices.size(), 1U);
}

TEST(Precedes, HigherPriorityThenEarlierDeadlineThenEarlierArrival) {
  EXPECT_TRUE(precedes(9, Time{100}, 2, 0, Time{1}, 1));
  EXPECT_TRUE(precedes(5, Time{10}, 2, 5, Time{11}, 1));
  EXPECT_TRUE(precedes(5, Time{10}, 1, 5, Time{10}, 2));
  EXPECT_FALSE(precedes(5, Time{10}, 1, 5, Time{10}, 1));
}

}  // namespace
}  // namespace juggler
