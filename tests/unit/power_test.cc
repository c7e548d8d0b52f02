// Watt limits of the fleet and of one device, a battery that is low, a board that throttles: who is
// placed, who waits, who is refused.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;

constexpr Milliwatts watts(std::int64_t count) { return {count * 1000}; }

ControllerConfig limited(Milliwatts power_max) {
  ControllerConfig config;
  config.power_max = power_max;
  return config;
}

// 2 W at rest, and 2 W (100 mJ in 50 ms) more at work.
test::DeviceBuilder board(const std::string& id, const std::string& network = "n", double top1 = 75,
                          double mj = 100) {
  return device(id).window(1).idle(watts(2)).serves(variant(network + "-fp32", top1),
                                                    milliseconds(50), energy_mj(mj));
}

std::string verdict_of(ControllerHarness& harness, const std::string& task,
                       const std::string& device) {
  const std::optional<Explanation> why = harness.controller().explain(task);
  for (const ExplainedCandidate& candidate : why->candidates) {
    if (candidate.device == device) {
      return std::string(to_string(candidate.verdict));
    }
  }
  return "no candidate";
}

TEST(Power, FleetsLimit_LetsOneWorkAfterTheOther) {
  ControllerHarness harness(limited(watts(7)));
  harness.lead_with({board("a"), board("b", "g", 81)});
  harness.submit(submission("t").model("n").deadline(seconds(5)));
  const Dispatch first = harness.last_dispatch();
  EXPECT_EQ(first.device, "a");
  EXPECT_EQ(harness.controller().power(), (FleetPower{.now = watts(6), .rest = watts(4)}));
  harness.submit(submission("u").min_accuracy(80).deadline(seconds(5)));  // b alone can
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(verdict_of(harness, "u", "b"), "power-short");
  harness.advance(milliseconds(50));
  harness.result(result_of(first));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Power, FleetsLimit_IsNoLimitToWhoWorksAlready) {
  ControllerHarness harness(limited(watts(7)));
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.submit(submission("u"));
  EXPECT_EQ(harness.dispatches().size(), 1U);  // its window is full; it stands in line there
  EXPECT_EQ(harness.controller().power().now, watts(6));
}

TEST(Power, MoreThanTheLimitEvenAlone_IsRefusedAtOnce) {
  ControllerHarness harness(limited(watts(5)));
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("watt limit"), std::string::npos);
  EXPECT_EQ(verdict_of(harness, "t", "a"), "over-power");
}

TEST(Power, UpperEndOfTheInterval_Counts) {
  ControllerHarness harness(limited(watts(4)));
  DeviceFacts facts =
      device("a").idle(watts(2)).serves(variant("n-fp32"), milliseconds(50), energy_mj(100, 0.1));
  harness.lead_with({facts});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);  // 2.2 W, not 2
}

TEST(Power, BoardsInput_IsWhereItCounts) {
  ControllerHarness harness(limited(watts(4)));
  harness.lead_with({board("a").to_board_input(1100)});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);  // 1.1 x 4 W
}

TEST(Power, LargestBatch_Counts) {
  ControllerHarness harness(limited(watts(5)));
  harness.lead_with({board("a").batch_max(2).point(2, milliseconds(60), energy_mj(240))});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);  // 4 W above idle in twos
}

TEST(Power, UnknownPower_GetsNothingUnderALimit) {
  ControllerHarness harness(limited(watts(50)));
  harness.lead_with({device("a").idle(watts(2)).serves(variant("n-fp32"), milliseconds(50)),
                     device("b").serves(variant("n-fp32"), milliseconds(50), energy_mj(100))});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_EQ(verdict_of(harness, "t", "a"), "power-unknown");  // what it takes at work
  EXPECT_EQ(verdict_of(harness, "t", "b"), "power-unknown");  // and at rest
}

TEST(Power, DevicesLimit_HoldsForItAlone) {
  ControllerHarness harness;
  DeviceFacts two = device("a")
                        .window(1)
                        .idle(watts(2))
                        .power_max(watts(5))
                        .serves(variant("n-fp32"), milliseconds(50), energy_mj(100))
                        .processor("gpu0", ProcessorKind::Gpu)
                        .window(1)
                        .serves(variant("n-fp32"), milliseconds(50), energy_mj(100));
  harness.lead_with({two});
  harness.submit(submission("t").deadline(milliseconds(80)));
  harness.submit(submission("u").deadline(milliseconds(80)));  // in time on the other only
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.controller().power().now, watts(4));
}

TEST(Power, BoardThatComes_TakesItsRestFromTheLimit) {
  ControllerHarness harness(limited(watts(5)));
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.submit(submission("u"));  // in line
  harness.hello(board("b"));
  EXPECT_EQ(harness.controller().power().now, watts(6));  // what is in flight is not taken back
  harness.advance(milliseconds(50));
  harness.result(result_of(harness.dispatches().front()));
  EXPECT_EQ(harness.dispatches().size(), 1U);  // but nothing follows: 2 x 2 W + 2 W
  EXPECT_EQ(harness.controller().power().now, watts(4));
}

TEST(Power, LostDevice_MayStillCompute) {
  ControllerHarness harness(limited(watts(7)));
  harness.lead_with({board("a"), board("b", "g", 81, 120)});
  harness.submit(submission("t").deadline(seconds(20)));
  ASSERT_EQ(harness.last_dispatch().device, "a");
  harness.silence("a");
  harness.advance(seconds(6));
  ASSERT_EQ(harness.liveness("a"), Liveness::Lost);
  EXPECT_EQ(harness.dispatches().size(), 1U);  // b would be one too many until a is surely done
  EXPECT_EQ(harness.controller().power().now, watts(6));
  harness.advance(seconds(17));
  EXPECT_EQ(harness.controller().power().now, watts(4));
}

TEST(Power, AttemptThatNeverCameBackOfATaskThatIsAnswered_MayStillBeComputed) {
  ControllerHarness harness(limited(watts(9)));
  harness.lead_with({board("a"), board("b", "n", 75, 120)});
  harness.submit(submission("t").deadline(seconds(20)));
  for (int i = 0; i < 100 && harness.dispatches().size() < 2; ++i) {
    harness.advance(milliseconds(10));
  }
  ASSERT_EQ(harness.last_dispatch().device, "b");
  harness.result(result_of(harness.last_dispatch()));
  harness.confirm_all();
  ASSERT_EQ(harness.controller().tasks().size(), 0U);
  harness.advance(seconds(10));  // the time that was given to the attempt on a is long over
  EXPECT_EQ(harness.controller().power().now, watts(6));
  harness.advance(seconds(12));
  EXPECT_EQ(harness.controller().power().now, watts(4));
}

TEST(Power, EarlierLeadersWork_Counts) {
  ControllerHarness harness(limited(watts(7)));
  harness.lead_with({board("a"), board("b", "g", 81)});
  Heartbeat beat;
  beat.running = {{AttemptId{{"user:x", "old"}, 0, 1}}};  // of another epoch
  harness.heartbeat("a", beat);
  EXPECT_EQ(harness.controller().power().now, watts(6));
  harness.submit(submission("u").min_accuracy(80).deadline(seconds(8)));
  EXPECT_TRUE(harness.dispatches().empty());
  harness.advance(seconds(5));  // nothing of it is heard any more
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

// Results have said nothing yet: without the heartbeat's word the task would go there.
TEST(Power, ThrottlingBoard_IsExpectedToBeSlowerBeforeADeadlineIsMissed) {
  ControllerHarness harness;
  harness.lead_with({board("a"), board("b", "n", 75, 300)});
  Heartbeat beat;
  beat.host.throttled = true;
  harness.heartbeat("a", beat);
  harness.submit(submission("t").deadline(milliseconds(60)));  // 62.5 ms by then on a
  EXPECT_EQ(harness.last_dispatch().device, "b");
  EXPECT_EQ(verdict_of(harness, "t", "a"), "too-slow");
  harness.heartbeat("a", beat);  // said again, it is not slower again
  harness.submit(submission("u").deadline(milliseconds(80)));
  EXPECT_EQ(harness.last_dispatch().device, "a");
}

TEST(Power, LowBattery_TakesNoWorkUntilItIsCharged) {
  ControllerHarness harness;
  harness.lead_with({board("a").battery_min(300)});
  const auto charge = [&](std::int64_t permille, bool charges) {
    Heartbeat beat;
    beat.host.battery_permille = permille;
    beat.host.battery_charges = charges;
    harness.heartbeat("a", beat);
  };
  charge(290, false);
  harness.submit(submission("t").deadline(seconds(5)));
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_EQ(verdict_of(harness, "t", "a"), "battery-low");
  charge(305, false);  // it would be low again at once
  EXPECT_TRUE(harness.dispatches().empty());
  charge(305, true);
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

}  // namespace
}  // namespace juggler
