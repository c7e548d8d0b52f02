// Joules of two meters are never added or compared as they stand: wherever energies meet, they are
// at one place, or count as unknown.

#include <gtest/gtest.h>

#include "core/lane_costs.h"
#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::submission;
using test::variant;

EnergyFigure at(PowerScope scope, double mj) {
  EnergyFigure energy = energy_mj(mj);
  energy.scope = scope;
  return energy;
}

// A board whose profile is of `from`, whose factor is for that, and whose one energy is of `scope`.
DeviceFacts board(const std::string& id, PowerScope from, PowerScope scope, double mj,
                  std::int64_t permille = 1000) {
  DeviceFacts facts = device(id).idle({1000}).to_board_input(permille).serves(
      variant("n-fp32"), milliseconds(50), at(scope, mj));
  facts.to_board_input.from = from;
  return facts;
}

TEST(Scopes, Conversion_IsForItsOwnScopeAlone) {
  const ScopeConversion rail{1230, PowerScope::ModuleRail};
  EXPECT_EQ(at_board_input(at(PowerScope::ModuleRail, 100), rail)->value, Microjoules{123'000});
  EXPECT_EQ(at_board_input(at(PowerScope::ModuleRail, 100), rail)->scope, PowerScope::BoardInput);
  EXPECT_EQ(at_board_input(at(PowerScope::BoardInput, 100), rail)->value, Microjoules{100'000});
  for (const PowerScope other : {PowerScope::RailSum, PowerScope::Wall, PowerScope::Package}) {
    EXPECT_FALSE(at_board_input(at(other, 100), rail).has_value());
  }
  EXPECT_FALSE(at_board_input(std::nullopt, rail).has_value());
}

TEST(Scopes, Costs_AreAtTheBoardsInputOrUnknown) {
  const DeviceFacts known = board("a", PowerScope::Wall, PowerScope::Wall, 100, 880);
  const LaneCosts costs = costs_of(known, known.processors[0]);
  EXPECT_EQ(costs[0].of(1).energy, Microjoules{88'000});
  EXPECT_EQ(costs[0].power, Milliwatts{1760});
  const DeviceFacts foreign = board("b", PowerScope::Wall, PowerScope::Package, 100, 880);
  const LaneCosts unknown = costs_of(foreign, foreign.processors[0]);
  EXPECT_FALSE(unknown[0].of(1).energy.has_value());
  EXPECT_FALSE(unknown[0].of(1).energy_high.has_value());
  EXPECT_FALSE(unknown[0].power.has_value());
}

// 10 mJ of a package would win against 50 mJ at the board's input, if they were the same joules.
TEST(Scopes, Placement_IsNotChosenByJoulesOfAnotherMeter) {
  ControllerHarness harness;
  harness.lead_with({board("package", PowerScope::BoardInput, PowerScope::Package, 10),
                     board("input", PowerScope::BoardInput, PowerScope::BoardInput, 50)});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "input");
}

TEST(Scopes, TasksEnergyLimit_IsNotKeptByJoulesOfAnotherMeter) {
  ControllerHarness harness;
  harness.lead_with({board("package", PowerScope::BoardInput, PowerScope::Package, 10)});
  harness.submit(submission("t").max_energy_mj(40));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("energy is unknown"), std::string::npos);
}

TEST(Scopes, WattLimit_AddsUpAtTheBoardsInputs) {
  ControllerConfig config;
  config.power_max = Milliwatts{5000};
  ControllerHarness harness(config);
  // At rest 1.23 and 0.88 W; at work 2 W of a rail and of a wall are 2.46 and 1.76 W more.
  harness.lead_with({board("rail", PowerScope::ModuleRail, PowerScope::ModuleRail, 100, 1230),
                     board("wall", PowerScope::Wall, PowerScope::Wall, 100, 880)});
  EXPECT_EQ(harness.controller().power().rest, Milliwatts{2110});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "wall");
  EXPECT_EQ(harness.controller().power().now, Milliwatts{3870});
}

TEST(Scopes, Outcome_KeepsTheMetersFigureAndScope) {
  ControllerHarness harness;
  harness.lead_with({board("rail", PowerScope::ModuleRail, PowerScope::ModuleRail, 100, 1230)});
  harness.submit(submission("t"));
  AttemptResult result = test::result_of(harness.last_dispatch());
  result.energy = at(PowerScope::ModuleRail, 90);
  harness.result(result);
  EXPECT_EQ(harness.last_outcome().energy, result.energy);
}

}  // namespace
}  // namespace juggler
