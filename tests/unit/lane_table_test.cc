// What decisions see of the fleet: kept up to date by its changes, and kept as earlier ones saw it.

#include "core/lane_table.h"

#include <gtest/gtest.h>

#include "core/change_log.h"
#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::variant;

Fleet three() {
  std::vector<DeviceFacts> devices;
  for (const char* id : {"a", "b", "c"}) {
    devices.push_back(device(id).serves(variant("net-fp32"), milliseconds(10), energy_mj(20)));
  }
  return fleet_of(std::move(devices));
}

std::string liveness_of(const std::vector<LaneState>& lanes) {
  std::string text;
  for (const LaneState& lane : lanes) {
    text += lane.facts->id + ":" + std::string(to_string(lane.liveness)) + " ";
  }
  return text;
}

TEST(LaneTable, Change_IsSeen_AndOnlyThatLaneIsNamed) {
  Fleet fleet = three();
  LaneTable table;
  table.follow(fleet);
  const std::uint64_t read = table.changes().end();
  fleet.change(1).liveness = Liveness::Lost;
  table.follow(fleet);
  EXPECT_EQ(table.lanes()[1].liveness, Liveness::Lost);
  ASSERT_TRUE(table.changes().since(read).has_value());
  EXPECT_EQ(std::vector<std::uint32_t>(table.changes().since(read)->begin(),
                                       table.changes().since(read)->end()),
            std::vector<std::uint32_t>{1});
}

TEST(LaneTable, KeptStates_AreThoseOfThen) {
  Fleet fleet = three();
  LaneTable table;
  table.follow(fleet);
  const std::uint64_t first = table.keep();
  fleet.change(0).liveness = Liveness::Suspect;
  table.follow(fleet);
  const std::uint64_t second = table.keep();
  fleet.change(0).liveness = Liveness::Lost;
  fleet.change(2).liveness = Liveness::Lost;
  table.follow(fleet);
  EXPECT_EQ(liveness_of(table.kept(first)), "a:live b:live c:live ");
  EXPECT_EQ(liveness_of(table.kept(second)), "a:suspect b:live c:live ");
  EXPECT_EQ(table.kept_size(), 3U);
  table.forget_before(second);
  EXPECT_EQ(liveness_of(table.kept(second)), "a:suspect b:live c:live ");
  EXPECT_EQ(table.kept_size(), 2U);
}

TEST(LaneTable, DeviceThatJoinsOrLeaves_LeavesKeptStatesAlone) {
  Fleet fleet = three();
  LaneTable table;
  table.follow(fleet);
  const std::uint64_t before = table.keep();
  fleet.change(1).liveness = Liveness::Lost;
  table.follow(fleet);
  fleet.erase("a");
  table.follow(fleet);
  const std::uint64_t after = table.keep();
  fleet.change(0).liveness = Liveness::Gone;
  table.follow(fleet);
  EXPECT_EQ(liveness_of(table.kept(before)), "a:live b:live c:live ");
  EXPECT_EQ(liveness_of(table.kept(after)), "b:lost c:live ");
  table.forget_before(after + 1);
  EXPECT_EQ(table.kept_size(), 0U);
}

TEST(LaneTable, AnotherFleetAtTheSameAddress_IsReadAnew) {
  LaneTable table;
  Fleet fleet = three();
  table.follow(fleet);
  fleet = fleet_of({device("z").serves(variant("net-fp32"), milliseconds(10))});
  table.follow(fleet);
  ASSERT_EQ(table.lanes().size(), 1U);
  EXPECT_EQ(table.lanes()[0].facts->id, "z");
}

TEST(LaneTable, CopyOfAFleet_IsAnother) {
  LaneTable table;
  Fleet fleet = three();
  table.follow(fleet);
  Fleet copy = fleet;
  copy.change(0).liveness = Liveness::Lost;
  fleet.change(1).liveness = Liveness::Lost;
  table.follow(copy);
  EXPECT_EQ(table.lanes()[0].liveness, Liveness::Lost);
  EXPECT_EQ(table.lanes()[1].liveness, Liveness::Live);
}

TEST(ChangeLog, ReaderWhoIsFarBehind_ReadsEverything) {
  ChangeLog log;
  EXPECT_FALSE(log.since(0).has_value());
  const std::uint64_t read = log.end();
  log.add(7);
  ASSERT_TRUE(log.since(read).has_value());
  EXPECT_EQ(log.since(read)->size(), 1U);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    log.add(i);
  }
  EXPECT_FALSE(log.since(read).has_value());
  EXPECT_TRUE(log.since(log.end() - 1000).has_value());
  EXPECT_EQ(log.since(log.end() - 1)->front(), 99'999U);
}

TEST(ChangeLog, WhenAllChanges_NobodyIsUpToDate) {
  ChangeLog log;
  const std::uint64_t read = log.end();
  log.add_all();
  EXPECT_FALSE(log.since(read).has_value());
  EXPECT_TRUE(log.since(log.end())->empty());
}

TEST(LaneCosts, ProfileThatClaimsLessForMore_IsNotBelieved) {
  const DeviceFacts facts = device("d")
                                .batch_max(4)
                                .serves(variant("n-fp32"), milliseconds(90))
                                .point(4, milliseconds(20));
  const LaneCosts costs = costs_of(facts, facts.processors[0]);
  for (int tasks = 2; tasks <= 4; ++tasks) {
    EXPECT_EQ(costs[0].of(tasks).mean, milliseconds(90)) << tasks;
  }
}

}  // namespace
}  // namespace juggler
