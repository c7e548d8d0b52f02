// Devices that join, fall silent, drain, leave and come back.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board(const std::string& id, Micros latency = milliseconds(50)) {
  return device(id).serves(variant("n-fp32"), latency);
}

TEST(Controller, Hello_EnrolsTheDevice) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.hello(board("a"));
  ASSERT_EQ(harness.all<Enrol>().size(), 1U);
  EXPECT_EQ(harness.all<Enrol>()[0].device, "a");
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
}

TEST(Controller, HeartbeatOfAnUnknownDevice_AsksForItsHello) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.heartbeat("new");
  ASSERT_EQ(harness.all<AskHello>().size(), 1U);
  EXPECT_EQ(harness.all<AskHello>()[0].device, "new");
  EXPECT_TRUE(harness.controller().fleet().devices().empty());
}

// Its hello may have come before anybody led; then it has no queue by which it could be asked.
TEST(Controller, HeartbeatOfAnUnknownDevice_IsEnrolledByWhoLeads) {
  ControllerHarness harness;
  harness.heartbeat("new");
  EXPECT_TRUE(harness.all<Enrol>().empty());
  harness.begin_lead(1);
  harness.heartbeat("new");
  ASSERT_EQ(harness.all<Enrol>().size(), 1U);
  EXPECT_EQ(harness.all<Enrol>()[0].device, "new");
}

TEST(Controller, HeartbeatOfAnotherIncarnation_AsksForItsHelloAndCountsForNothing) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  for (int i = 0; i < 4; ++i) {
    Heartbeat beat;
    beat.incarnation = 2;
    harness.heartbeat("a", beat);
    harness.advance(seconds(1));
  }
  EXPECT_EQ(harness.all<AskHello>().size(), 4U);
  EXPECT_EQ(harness.liveness("a"), Liveness::Suspect);
}

TEST(Controller, HeartbeatWithAnImpossibleName_IsIgnored) {
  ControllerHarness harness;
  harness.begin_lead(1);
  Heartbeat beat;
  beat.incarnation = 1;
  harness.heartbeat("Not A Name", beat);
  EXPECT_TRUE(harness.all<AskHello>().empty());
}

TEST(Controller, LastHeartbeatOfAnUnknownDevice_AsksNothing) {
  ControllerHarness harness;
  harness.begin_lead(1);
  Heartbeat beat;
  beat.leaving = true;
  harness.heartbeat("gone", beat);
  EXPECT_TRUE(harness.all<AskHello>().empty());
}

TEST(Controller, SilentDevice_IsSuspectThenLost) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  harness.heartbeat("a");
  harness.advance(milliseconds(2900));
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
  harness.advance(milliseconds(700));
  EXPECT_EQ(harness.liveness("a"), Liveness::Suspect);
  harness.advance(seconds(2));
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
}

TEST(Controller, SuspectDevice_GetsNothingNew) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  harness.advance(seconds(4));
  ASSERT_EQ(harness.liveness("a"), Liveness::Suspect);
  harness.submit(submission("t"));
  EXPECT_TRUE(harness.dispatches().empty());
  harness.heartbeat("a");
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, LostDevice_ItsTasksGoElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a", seconds(4)), board("b", seconds(5))});
  harness.submit(submission("t").deadline(seconds(60)));
  ASSERT_EQ(harness.last_dispatch().device, "a");
  harness.silence("a");
  harness.advance(seconds(6));
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
  EXPECT_EQ(harness.last_dispatch().device, "b");
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().attempts[0].end, "the device was lost");
}

TEST(Controller, LostDevice_WhatWaitsForItPlansAnew) {
  ControllerHarness harness;
  harness.lead_with({device("a").window(1).serves(variant("n-fp32"), seconds(4))});
  harness.submit(submission("running").deadline(seconds(60)));
  harness.submit(submission("waiting").deadline(seconds(60)));
  harness.silence("a");
  harness.advance(seconds(6));
  EXPECT_EQ(harness.controller().tasks().waiting_size(), 2U);
  harness.hello(board("b"));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, OnlyDeviceIsLost_TheTaskWaitsForItsReturn) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  harness.advance(seconds(6));
  harness.submit(submission("t").deadline(seconds(20)));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.heartbeat("a");
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, LostBeyondTheTimeOfARestart_WhatOnlyItCouldServeIsRejected) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  harness.advance(seconds(6));
  harness.submit(submission("waiting").deadline(seconds(600)));
  harness.advance(seconds(50));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.advance(seconds(5));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("lost"), std::string::npos);
  harness.submit(submission("next").deadline(seconds(600)));
  EXPECT_EQ(harness.outcomes().size(), 2U);
  harness.heartbeat("a");
  harness.submit(submission("after").deadline(seconds(600)));
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, LostForLong_IsForgotten) {
  ControllerConfig config;
  config.forgotten_after = seconds(20);
  ControllerHarness harness(config);
  harness.lead_with({board("a"), board("b")});
  harness.silence("a");
  harness.advance(seconds(22));
  EXPECT_EQ(harness.controller().fleet().find("a"), nullptr);
  EXPECT_NE(harness.controller().fleet().find("b"), nullptr);
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, DrainingDevice_FinishesWhatItHasAndGetsNothingNew) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("running"));
  Heartbeat beat;
  beat.draining = true;
  harness.heartbeat("a", beat);
  harness.silence("a");
  EXPECT_EQ(harness.liveness("a"), Liveness::Draining);
  const Dispatch dispatch = harness.last_dispatch();
  harness.submit(submission("next"));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.result(result_of(dispatch));
  EXPECT_EQ(harness.outcomes().back().kind, OutcomeKind::Completed);
}

// "a", which says only what it is told to.
void begin_with_one_that_joins(ControllerHarness& harness) {
  DeviceFacts joining = board("a");
  joining.serving = false;
  harness.begin_lead(1);
  harness.hello(joining);
  harness.silence("a");
}

TEST(Controller, DeviceWithoutQueues_GetsNothingUntilItServes) {
  ControllerHarness harness;
  begin_with_one_that_joins(harness);
  EXPECT_EQ(harness.liveness("a"), Liveness::Joining);
  Heartbeat beat;
  beat.serving = false;
  harness.heartbeat("a", beat);
  harness.submit(submission("t"));
  EXPECT_TRUE(harness.dispatches().empty());
  harness.heartbeat("a");
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, DeviceThatStillHasNoQueues_IsEnrolledAnew) {
  ControllerHarness harness;
  begin_with_one_that_joins(harness);
  const std::size_t once = harness.all<Enrol>().size();
  Heartbeat beat;
  beat.serving = false;
  for (int s = 0; s < 14; ++s) {
    harness.advance(seconds(1));
    harness.heartbeat("a", beat);
  }
  EXPECT_EQ(harness.all<Enrol>().size(), once);
  harness.advance(seconds(1));
  harness.heartbeat("a", beat);
  EXPECT_EQ(harness.all<Enrol>().size(), once + 1);
}

TEST(Controller, QueueDeletedUnderADevice_ItsWaitingTasksGoElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b", milliseconds(60))});
  Heartbeat beat;
  beat.serving = false;
  harness.heartbeat("a", beat);
  EXPECT_EQ(harness.liveness("a"), Liveness::Joining);
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, HelloOfADrainingDevice_DoesNotMakeItLive) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Heartbeat beat;
  beat.draining = true;
  harness.heartbeat("a", beat);
  // Its link came back: it says hello, and that it drains only in the heartbeat after it.
  harness.hello(board("a"));
  EXPECT_EQ(harness.liveness("a"), Liveness::Draining);
  harness.heartbeat("a");
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
}

TEST(Controller, HelloOfANewIncarnationAfterDraining_IsLiveAgain) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Heartbeat beat;
  beat.draining = true;
  harness.heartbeat("a", beat);
  harness.hello(device("a").incarnation(2).serves(variant("n-fp32"), milliseconds(50)));
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
}

TEST(Controller, LeavingDevice_IsLostAtOnceAndItsTasksGoElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b", milliseconds(60))});
  harness.submit(submission("t"));
  Heartbeat beat;
  beat.draining = true;
  beat.leaving = true;
  harness.heartbeat("a", beat);
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, FleetIsFull_FurtherDevicesAreNotTaken) {
  ControllerConfig config;
  config.devices_max = 2;
  ControllerHarness harness(config);
  harness.begin_lead(1);
  for (const char* id : {"a", "b", "c"}) {
    harness.hello(board(id));
  }
  EXPECT_EQ(harness.controller().fleet().devices().size(), 2U);
  EXPECT_EQ(harness.all<Enrol>().size(), 2U);
}

TEST(Controller, HelloAgainWithOtherProcessors_KeepsWhatIsInFlightByProcessor) {
  ControllerHarness harness;
  harness.lead_with(
      {device("a").processor("gpu0").window(1).serves(variant("n-fp32"), milliseconds(50))});
  harness.submit(submission("t"));
  harness.hello(device("a")
                    .processor("gpu0")
                    .window(1)
                    .serves(variant("n-fp32"), milliseconds(50))
                    .processor("cpu0")
                    .serves(variant("m-fp32"), milliseconds(500)));
  const DeviceState* state = harness.controller().fleet().find("a");
  ASSERT_EQ(state->lanes.size(), 2U);
  EXPECT_EQ(state->lanes[0].in_flight.size(), 0U);  // cpu0
  EXPECT_EQ(state->lanes[1].in_flight.size(), 1U);  // gpu0
}

TEST(Controller, HelloAgainWithTheSameProfiles_KeepsWhatWasLearned) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  AttemptResult slow = result_of(harness.last_dispatch());
  slow.compute = milliseconds(500);
  harness.result(slow);
  const std::int64_t learned =
      harness.controller().fleet().find("a")->lanes[0].learned->correction(0);
  EXPECT_GT(learned, 1000);
  harness.hello(board("a"));
  EXPECT_EQ(harness.controller().fleet().find("a")->lanes[0].learned->correction(0), learned);
  harness.hello(board("a", milliseconds(70)));
  EXPECT_EQ(harness.controller().fleet().find("a")->lanes[0].learned->correction(0), 1000);
}

TEST(Controller, NetworkDelay_IsLearnedFromResults) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.advance(milliseconds(30));
  AttemptResult result = result_of(harness.last_dispatch());
  result.queued = milliseconds(5);
  result.compute = milliseconds(15);
  harness.result(result);
  EXPECT_EQ(harness.controller().fleet().find("a")->network(), milliseconds(10));
}

TEST(Controller, NetworkDelay_IsLearnedFromResultsThatComeTooLate) {
  // Where only results in time taught anything, a slow way would never be known for one.
  ControllerHarness harness(test::without_hedges());
  harness.lead_with({board("a")});
  harness.submit(submission("t").deadline(milliseconds(100)));
  const Dispatch dispatch = harness.last_dispatch();
  harness.advance(milliseconds(160));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Expired);
  harness.confirm_all();
  AttemptResult result = result_of(dispatch);
  result.compute = milliseconds(50);
  harness.result(result);
  EXPECT_EQ(harness.controller().fleet().find("a")->network(), milliseconds(110));
}

TEST(Controller, BatchBetweenTwoMeasuredSizes_IsNotTakenForSlowness) {
  ControllerHarness harness;
  harness.lead_with({device("a")
                         .batch_max(8)
                         .serves(variant("n-fp32"), milliseconds(10))
                         .point(8, milliseconds(80))});
  for (int i = 0; i < 20; ++i) {
    harness.submit(submission("t" + std::to_string(i)));
    harness.advance(milliseconds(60));
    AttemptResult result = result_of(harness.last_dispatch());
    result.batch_size = 5;
    result.compute = milliseconds(50);  // exactly on the line between both sizes
    harness.result(result);
  }
  EXPECT_NEAR(
      static_cast<double>(harness.controller().fleet().find("a")->lanes[0].learned->correction(0)),
      1000, 50);
}

TEST(Controller, TimeJumpsPastAllLimits_NobodyIsBlamedAndWhoStoodInItsLineIsAnswered) {
  ControllerConfig config;
  config.deadline_max = seconds(3600);
  ControllerHarness harness(config);
  harness.lead_with({device("a").window(1).serves(variant("n-fp32"), milliseconds(50))});
  harness.submit(submission("running").deadline(seconds(3000)));
  harness.submit(submission("in-line").deadline(seconds(3000)));
  harness.jump(seconds(700));  // the process was stopped; the first thing it sees is a tick
  EXPECT_EQ(harness.liveness("a"), Liveness::Live) << "it could not be heard";
  harness.advance(seconds(601));
  EXPECT_TRUE(harness.controller().fleet().devices().empty());
  harness.jump(seconds(3000));
  EXPECT_EQ(harness.outcomes().size(), 2U);
}

}  // namespace
}  // namespace juggler
