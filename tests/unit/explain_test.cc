#include "core/explain.h"

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::submission;
using test::variant;

DeviceFacts frugal() {
  return device("frugal").serves(variant("n-fp32", 70), milliseconds(100), energy_mj(50));
}
DeviceFacts hungry() {
  return device("hungry").serves(variant("n-fp32", 70), milliseconds(10), energy_mj(500));
}

TEST(Explain, Placed_ShowsTheChosenFirstAndWhyTheOthersLost) {
  ControllerHarness harness;
  harness.lead_with({hungry(), frugal()});
  harness.submit(submission("t").max_energy_mj(100).deadline(seconds(2)));
  const auto why = harness.controller().explain("t");
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->decision, "place");
  EXPECT_EQ(why->policy, "juggler");
  EXPECT_EQ(why->model, "imagenet");
  EXPECT_EQ(why->remaining, seconds(2));
  ASSERT_EQ(why->candidates.size(), 2U);
  EXPECT_TRUE(why->candidates[0].chosen);
  EXPECT_EQ(why->candidates[0].device, "frugal");
  EXPECT_EQ(why->candidates[0].verdict, Verdict::Meets);
  EXPECT_FALSE(why->candidates[1].chosen);
  EXPECT_EQ(why->candidates[1].verdict, Verdict::EnergyOver);
}

// The parts of the cost: energy, waiting, accuracy.
TEST(Explain, Cost_IsShownInParts) {
  ControllerHarness harness;
  harness.lead_with({frugal()});
  harness.submit(submission("t"));  // without a deadline of its own: its waiting counts
  const auto why = harness.controller().explain("t");
  ASSERT_EQ(why->candidates.size(), 1U);
  const ExplainedCandidate& only = why->candidates[0];
  EXPECT_EQ(only.waiting_uj, rates_of(Goal::Energy).holding_mw * only.finish.count / 1000);
  EXPECT_EQ(only.accuracy_uj, 0);
  EXPECT_EQ(only.cost_uj, only.energy_decision->count + only.waiting_uj);
}

TEST(Explain, TasksBefore_AreCounted) {
  ControllerHarness harness;
  harness.lead_with({frugal()});
  harness.submit(submission("first"));
  harness.submit(submission("second"));
  const auto why = harness.controller().explain("second");
  EXPECT_EQ(why->candidates[0].tasks_before, 1U);
}

TEST(Explain, Infeasible_HasItsReason) {
  ControllerHarness harness;
  harness.lead_with({frugal()});
  harness.submit(submission("t").min_accuracy(99));
  const auto why = harness.controller().explain("t");
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->decision, "infeasible");
  EXPECT_EQ(why->reason, harness.last_outcome().reason);
}

TEST(Explain, LaterState_DoesNotChangeAnEarlierExplanation) {
  ControllerHarness harness;
  harness.lead_with({frugal()});
  harness.submit(submission("t"));
  const Micros finish = harness.controller().explain("t")->candidates[0].finish;
  harness.hello(device("frugal").incarnation(2).serves(variant("n-fp32", 70), seconds(9)));
  const auto why = harness.controller().explain("t");
  EXPECT_EQ(why->candidates[0].finish, finish);
}

TEST(Explain, TaskNobodyDecided_HasNone) {
  ControllerHarness harness;
  harness.lead_with({frugal()});
  EXPECT_FALSE(harness.controller().explain("t").has_value());
}

TEST(Explain, KeepsTheLastDecisionsOnly) {
  ControllerConfig config;
  config.decisions_max = 2;
  ControllerHarness harness(config);
  harness.lead_with({frugal()});
  for (const char* id : {"a", "b", "c"}) {
    harness.submit(submission(id));
  }
  EXPECT_FALSE(harness.controller().explain("a").has_value());
  EXPECT_TRUE(harness.controller().explain("b").has_value());
  EXPECT_TRUE(harness.controller().explain("c").has_value());
}

TEST(Explain, TaskThatIsDecidedAgain_IsKeptBeforeYoungerOnes) {
  ControllerConfig config;
  config.decisions_max = 2;
  ControllerHarness harness(config);
  harness.lead_with({frugal()});
  harness.silence("frugal");
  harness.advance(seconds(6));  // lost: who comes now waits
  harness.submit(submission("first").priority(0));
  harness.submit(submission("second").min_accuracy(99));
  harness.heartbeat("frugal");  // the first is decided again
  harness.submit(submission("third").min_accuracy(99));
  EXPECT_TRUE(harness.controller().explain("first").has_value());
  EXPECT_FALSE(harness.controller().explain("second").has_value());
  EXPECT_TRUE(harness.controller().explain("third").has_value());
}

// What has changed since a decision is kept for it, within a bound.
TEST(Explain, WhereMuchChanges_FewerDecisionsAreKeptButTheLast) {
  ControllerConfig config;
  config.decision_lanes_max = 0;
  ControllerHarness harness(config);
  harness.lead_with({hungry(), frugal()});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  EXPECT_FALSE(harness.controller().explain("a").has_value());
  EXPECT_TRUE(harness.controller().explain("b").has_value());
}

}  // namespace
}  // namespace juggler
