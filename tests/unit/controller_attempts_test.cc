// What becomes of attempts: errors, silence, publishes that do not arrive, and their limit.

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

DeviceFacts board(const std::string& id, Micros latency = milliseconds(50)) {
  return device(id).serves(variant("n-fp32"), latency);
}

SendDispatch last_sent(const ControllerHarness& harness) {
  return harness.all<SendDispatch>().back();
}

TEST(Controller, EngineError_IsTriedOnAnotherDevice) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  ASSERT_EQ(harness.last_dispatch().device, "a");
  const DeliveryId error =
      harness.result(result_of(harness.last_dispatch(), AttemptStatus::Error, "out of memory"));
  EXPECT_TRUE(harness.acked(error));
  EXPECT_EQ(harness.last_dispatch().device, "b");
  EXPECT_EQ(harness.last_dispatch().attempt.number, 2);
  EXPECT_TRUE(harness.outcomes().empty());
}

TEST(Controller, OnlyOneDevice_IsTriedAgainRatherThanNone) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::Error, "once"));
  EXPECT_EQ(harness.dispatches().size(), 2U);
  EXPECT_EQ(harness.last_dispatch().device, "a");
}

TEST(Controller, AttemptsMax_FailsWithTheCausesAndADeadLetter) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  for (int i = 1; i <= 3; ++i) {
    harness.result(
        result_of(harness.last_dispatch(), AttemptStatus::Error, "cause " + std::to_string(i)));
  }
  EXPECT_EQ(harness.dispatches().size(), 3U);
  const Outcome outcome = harness.last_outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::Failed);
  EXPECT_NE(outcome.reason.find("3 attempts failed"), std::string::npos);
  ASSERT_EQ(outcome.attempts.size(), 3U);
  EXPECT_EQ(outcome.attempts[0].end, "cause 1");
  EXPECT_EQ(outcome.attempts[2].end, "cause 3");
  ASSERT_EQ(harness.all<SendDead>().size(), 1U);
  EXPECT_EQ(harness.all<SendDead>()[0].submission->payload.size, Bytes{1000});
}

TEST(Controller, LostDispatch_DeviceBackWithinItsHeartbeats_IsFoundByTheAttemptsOwnDeadline) {
  // The device crashes with the dispatch and is back before anybody misses its heartbeats; the
  // broker thinks the dispatch was served. No deadline of the device sees it.
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b", milliseconds(60))});
  harness.submit(submission("t").deadline(seconds(10)));
  ASSERT_EQ(harness.last_dispatch().device, "a");
  harness.confirm_all();
  harness.advance(milliseconds(100));
  harness.hello(
      DeviceFacts(device("a").incarnation(2).serves(variant("n-fp32"), milliseconds(50))));
  harness.advance(seconds(3));
  EXPECT_EQ(harness.controller().stats().attempts_timed_out, 1U);
  EXPECT_EQ(harness.last_dispatch().device, "b");
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.last_outcome().attempts[0].end, "no result in twice the predicted time");
}

// As in a cluster one of whose nodes hangs, which leads the devices' queues.
TEST(Controller, DispatchesThatTheBrokerDoesNotConfirm_AreNoAttempts) {
  ControllerHarness harness(test::without_hedges());
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t").deadline(seconds(60)));
  for (int i = 0; i < 30; ++i) {
    harness.advance(milliseconds(900));
    harness.heartbeat("a");
    harness.heartbeat("b");
  }
  EXPECT_GT(harness.controller().stats().attempts_timed_out, 3U);
  EXPECT_TRUE(harness.outcomes().empty());
  harness.confirm_all();
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
}

TEST(Controller, DeviceIsLate_ItsTaskIsTriedElsewhereInsideTheDeadline) {
  ControllerHarness harness;
  harness.lead_with({device("a").serves(variant("n-fp32"), milliseconds(50), energy_mj(10)),
                     device("b").serves(variant("n-fp32"), milliseconds(50), energy_mj(90))});
  harness.submit(submission("t").deadline(milliseconds(300)));
  const Dispatch first = harness.last_dispatch();
  EXPECT_EQ(first.device, "a");
  harness.advance(milliseconds(150));
  const Dispatch second = harness.last_dispatch();
  EXPECT_EQ(second.device, "b");
  EXPECT_EQ(harness.controller().stats().hedged, 1U);
  harness.result(result_of(second));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.last_outcome().device, "b");
  const DeliveryId late = harness.result(result_of(first));
  harness.confirm_all();
  EXPECT_EQ(harness.outcomes().size(), 1U);
  EXPECT_TRUE(harness.acked(late));
}

// What makes all of them late is what they share: twice the load would not mend it.
TEST(Controller, AllDevicesAreLate_FewOfTheirTasksAreTriedElsewhereToo) {
  constexpr std::uint64_t kDevices = 60;
  ControllerHarness harness;
  std::vector<DeviceFacts> devices;
  for (std::uint64_t d = 0; d < kDevices; ++d) {
    devices.push_back(device("d" + std::to_string(d))
                          .window(1)
                          .serves(variant("n-fp32"), milliseconds(50), energy_mj(10)));
  }
  harness.lead_with(devices);
  for (std::uint64_t t = 0; t < kDevices; ++t) {
    harness.submit(submission("t" + std::to_string(t)).deadline(seconds(60)));
  }
  const std::vector<Dispatch> first = harness.dispatches();
  ASSERT_EQ(first.size(), kDevices);
  harness.advance(milliseconds(150));
  EXPECT_EQ(harness.controller().stats().hedged, std::uint64_t{HedgeBudget::kBurstMax});
  EXPECT_EQ(harness.controller().stats().hedges_refused, kDevices - HedgeBudget::kBurstMax);
  for (const Dispatch& dispatch : first) {
    harness.result(result_of(dispatch));
  }
  EXPECT_EQ(harness.outcomes().size(), kDevices);
}

TEST(Controller, DeviceIsLateDuringAnOutage_ItsTaskIsTriedElsewhereAfterwards) {
  ControllerHarness harness;
  harness.lead_with({device("a").serves(variant("n-fp32"), milliseconds(50), energy_mj(10)),
                     device("b").serves(variant("n-fp32"), milliseconds(50), energy_mj(90))});
  harness.submit(submission("t").deadline(seconds(5)));
  harness.step(BrokerBlocked{true});
  harness.advance(milliseconds(900));
  EXPECT_EQ(harness.controller().stats().hedged, 0U);
  harness.step(BrokerBlocked{false});
  harness.advance(seconds(3));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, RefusedSecondBatch_LeavesTheFirstOverdue) {
  ControllerHarness harness(test::without_hedges());
  harness.lead_with({device("a").window(2).serves(variant("n-fp32"), milliseconds(50))});
  harness.submit(submission("stuck"));
  harness.submit(submission("refused"));
  const Dispatch second = harness.last_dispatch();
  harness.advance(seconds(1));
  harness.result(result_of(second, AttemptStatus::Refused, "full"));
  const Lane& lane = harness.controller().fleet().find("a")->lanes[0];
  EXPECT_GT(lane.backlog(harness.now(), {}, kSlowdownMin).mean, milliseconds(800));
}

TEST(Controller, DeviceIsLateAndNobodyElseIsInTime_ItsTaskIsLeftThere) {
  ControllerHarness harness;
  harness.lead_with({device("a").serves(variant("n-fp32"), milliseconds(50), energy_mj(10)),
                     device("b").serves(variant("n-fp32"), milliseconds(250), energy_mj(90))});
  harness.submit(submission("t").deadline(milliseconds(300)));
  harness.advance(milliseconds(150));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().device, "a");
}

TEST(Controller, LateDeviceFailsWhileItsTaskStandsInAnotherLine_TheTaskKeepsThatPlace) {
  ControllerHarness harness;
  harness.lead_with(
      {device("a").window(1).serves(variant("n-fp32"), milliseconds(50), energy_mj(10)),
       device("b")
           .window(1)
           .serves(variant("m-fp32"), milliseconds(200), energy_mj(90))
           .serves(variant("n-fp32"), milliseconds(50), energy_mj(90))});
  harness.submit(submission("other").model("m-fp32"));
  const Dispatch other = harness.last_dispatch();
  harness.submit(submission("t").deadline(milliseconds(600)));
  const Dispatch first = harness.last_dispatch();
  ASSERT_EQ(first.device, "a");
  harness.advance(milliseconds(150));
  EXPECT_EQ(harness.controller().stats().hedged, 1U);
  harness.result(result_of(first, AttemptStatus::Error, "broken"));
  EXPECT_EQ(harness.dispatches().size(), 2U);  // b is still busy
  harness.advance(milliseconds(45));
  harness.result(result_of(other));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "t");
  EXPECT_EQ(harness.last_dispatch().device, "b");
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().key.id, "t");
}

TEST(Controller, AttemptTimesOut_ItsPlaceInTheWindowIsFreeAgain) {
  ControllerHarness harness;
  harness.lead_with({device("a").window(1).serves(variant("n-fp32"), milliseconds(50))});
  harness.submit(submission("lost").deadline(milliseconds(500)));
  harness.submit(submission("next").deadline(seconds(10)));
  harness.advance(seconds(4));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "next");
}

TEST(Controller, ResultAfterItsAttemptTimedOut_StillCounts) {
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b", milliseconds(60))});
  harness.submit(submission("t"));
  const Dispatch first = harness.last_dispatch();
  harness.advance(seconds(3));
  ASSERT_EQ(harness.dispatches().size(), 2U);
  harness.result(result_of(first));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.last_outcome().device, "a");
  EXPECT_EQ(harness.last_outcome().attempts[1].end, "still running");
}

TEST(Controller, TwoResultsForOneTask_TheFirstStands) {
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b", milliseconds(60))});
  harness.submit(submission("t"));
  const Dispatch first = harness.last_dispatch();
  harness.advance(seconds(3));
  const Dispatch second = harness.last_dispatch();
  harness.result(result_of(second));
  const DeliveryId other = harness.result(result_of(first));
  EXPECT_TRUE(
      harness.acked(other));  // it stands for nothing: it must not come back as another answer
  harness.confirm_all();
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().device, "b");
}

TEST(Controller, DeviceQueueIsMissing_DeviceIsEnrolledAndTheTaskGoesElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.settle(last_sent(harness).id, PublishEnd::Returned);
  ASSERT_EQ(harness.all<Enrol>().size(), 1U);
  EXPECT_EQ(harness.all<Enrol>()[0].device, "a");
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, QueuesOfManyDevicesAreMissing_NoneOfThemCountsAsAnAttempt) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b"), board("c"), board("d")});
  harness.submit(submission("t"));
  for (int i = 0; i < 3; ++i) {
    harness.settle(last_sent(harness).id, PublishEnd::Returned);
    harness.advance(milliseconds(200) * i);  // each time for longer: many queues are being made
  }
  EXPECT_TRUE(harness.outcomes().empty());
  EXPECT_EQ(harness.dispatches().size(), 4U);
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
}

TEST(Controller, OnlyDevicesQueueIsMissing_TheTaskIsSentAgainWhenTheDeviceIsHeardAgain) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.settle(last_sent(harness).id, PublishEnd::Returned);
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.advance(seconds(2));
  EXPECT_EQ(harness.dispatches().size(), 2U);
  EXPECT_TRUE(harness.outcomes().empty());
}

TEST(Controller, DeviceQueueIsFull_TheTaskGoesElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.settle(last_sent(harness).id, PublishEnd::Refused);
  EXPECT_TRUE(harness.all<Enrol>().empty());
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, DispatchOfUnknownFate_IsLeftToItsDeadline) {
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.settle(last_sent(harness).id, PublishEnd::Unknown);
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.advance(seconds(3));
  EXPECT_EQ(harness.dispatches().size(), 2U);
}

TEST(Controller, DispatchRefusedAfterItsResultCame_ChangesNothing) {
  ControllerHarness harness;
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  const SendDispatch sent = last_sent(harness);
  harness.result(result_of(sent.dispatch));
  harness.settle(sent.id, PublishEnd::Returned);
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.confirm_all();
  EXPECT_EQ(harness.outcomes().size(), 1U);
}

TEST(Controller, DeviceSaysExpired_ItIsNotTheDevicesFault) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::Expired, "too late"));
  EXPECT_EQ(harness.dispatches().size(), 2U);
  EXPECT_TRUE(
      harness.controller().tasks().find(TaskKey{"reply_to:replies", "t"})->devices_failed.empty());
}

TEST(Controller, DeviceRefuses_TheTaskGoesElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::Refused, "draining"));
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

// Behind a task that ends engines, others are refused by one device after the other.
TEST(Controller, RefusedByEveryDevice_IsNotTriedYetAndServedWhenTheyTakeIt) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b"), board("c")});
  harness.submit(submission("t").deadline(seconds(30)));
  for (int refused = 0; refused < 5; ++refused) {
    const std::size_t sent = harness.dispatches().size();
    harness.result(result_of(harness.last_dispatch(), AttemptStatus::Refused, "engine is stopped"));
    for (int wait = 0; wait < 8 && harness.dispatches().size() == sent; ++wait) {
      harness.advance(milliseconds(250));
    }
    ASSERT_EQ(harness.dispatches().size(), sent + 1) << refused;
  }
  EXPECT_TRUE(harness.outcomes().empty());
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
}

TEST(Controller, ErrorOfAnAttemptItDoesNotKnow_ChangesNothing) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  AttemptResult stray = result_of(harness.last_dispatch(), AttemptStatus::Error, "stray");
  stray.attempt.number = 77;
  const DeliveryId delivery = harness.result(stray);
  EXPECT_TRUE(harness.acked(delivery));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_TRUE(harness.outcomes().empty());
}

TEST(Controller, ResultOfAnotherDevicesAttempt_IsNotUsed) {
  for (const AttemptStatus status :
       {AttemptStatus::Ok, AttemptStatus::BadPayload, AttemptStatus::Error}) {
    ControllerHarness harness(ControllerConfig{}, "fastest-finish");
    harness.lead_with({board("a"), board("b")});
    harness.submit(submission("t"));
    const Dispatch sent = harness.last_dispatch();
    ASSERT_EQ(sent.device, "a");
    AttemptResult forged = result_of(sent, status, status == AttemptStatus::Ok ? "" : "forged");
    forged.device = "b";
    EXPECT_TRUE(harness.acked(harness.result(forged)));
    EXPECT_EQ(harness.dispatches().size(), 1U);
    EXPECT_TRUE(harness.outcomes().empty());
    EXPECT_EQ(harness.controller().stats().results_invented, 1U);
    harness.result(result_of(sent));
    EXPECT_EQ(harness.last_outcome().device, "a");
  }
}

// As of a consumer of a version that gives none back.
TEST(Controller, ResultWithoutAStamp_OfAnAttemptThatItKnows_IsUsed) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  harness.result_without_stamp(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
}

TEST(Controller, ResultWithoutAStamp_OfAnAttemptThatItDoesNotKnow_IsNotUsed) {
  for (const AttemptStatus status : {AttemptStatus::Ok, AttemptStatus::BadPayload}) {
    ControllerHarness harness;
    harness.lead_with({board("a")});
    harness.submit(submission("t"));
    AttemptResult invented =
        result_of(harness.last_dispatch(), status, status == AttemptStatus::Ok ? "" : "torn");
    invented.attempt.number = 77;
    EXPECT_TRUE(harness.acked(harness.result_without_stamp(invented)));
    EXPECT_TRUE(harness.outcomes().empty());
    EXPECT_EQ(harness.controller().stats().results_invented, 1U);
    harness.result(invented);
    EXPECT_EQ(harness.last_outcome().kind,
              status == AttemptStatus::Ok ? OutcomeKind::Completed : OutcomeKind::Failed);
  }
}

TEST(Controller, ResultWithoutAStamp_BeforeItsTask_DoesNotAnswerIt) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Dispatch guessed;
  guessed.attempt = {{"reply_to:replies", "t"}, 1, 1};
  guessed.device = "a";
  guessed.processor = "cpu0";
  guessed.variant = "n-fp32";
  EXPECT_TRUE(harness.acked(harness.result_without_stamp(result_of(guessed))));
  EXPECT_EQ(harness.controller().stats().results_invented, 1U);
  harness.submit(submission("t"));
  EXPECT_TRUE(harness.outcomes().empty());
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, ErrorWithNoTimeLeftForAnother_FailsWithTheCause) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t").deadline(milliseconds(100)));
  harness.advance(milliseconds(80));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::Error, "crashed"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Failed);
  EXPECT_EQ(harness.last_outcome().attempts[0].end, "crashed");
}

TEST(Controller, OrphanResult_WaitsForItsRedeliveredTask) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "t"}, 0, 1};
  earlier.device = "a";
  earlier.processor = "cpu0";
  earlier.variant = "n-fp32";
  const DeliveryId result = harness.result(result_of(earlier));
  EXPECT_FALSE(harness.acked(result));
  harness.submit(submission("t").redelivered());
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_FALSE(harness.acked(result));
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(result));
}

TEST(Controller, OrphanResultWhoseTaskNeverComes_IsAckedInTheEnd) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "gone"}, 0, 1};
  earlier.device = "a";
  const DeliveryId result = harness.result(result_of(earlier));
  harness.advance(seconds(10));
  EXPECT_TRUE(harness.acked(result));
  EXPECT_EQ(harness.controller().stats().results_orphaned, 1U);
}

// With stamps, as of an earlier leader's dispatches; without, nothing is kept.
TEST(Controller, ResultsThatADeviceInvents_AreBoundedAndTakeNothingFromOthers) {
  ControllerHarness harness;
  harness.lead_with({board("a"), board("b")});
  Dispatch invented;
  invented.device = "a";
  invented.attempt = {{"user:nobody", "without"}, 0, 1};
  EXPECT_TRUE(harness.acked(harness.result_without_stamp(result_of(invented))));
  std::vector<DeliveryId> results;
  for (int i = 0; i < 2049; ++i) {
    invented.attempt = {{"user:nobody", std::to_string(i)}, 0, 1};
    results.push_back(harness.result(result_of(invented)));
  }
  EXPECT_FALSE(harness.acked(results.front()));  // it may be all that there is of an answer
  EXPECT_TRUE(harness.acked(results.back()));
  EXPECT_EQ(harness.controller().stats().results_surplus, 1U);
  invented.device = "b";
  invented.attempt = {{"user:nobody", "b"}, 0, 1};
  EXPECT_FALSE(harness.acked(harness.result(result_of(invented))));
  harness.advance(seconds(11));
  invented.device = "a";
  invented.attempt = {{"user:nobody", "later"}, 0, 1};
  EXPECT_FALSE(harness.acked(harness.result(result_of(invented))));
}

// The broker hung before it gave the tasks that lay there.
TEST(Controller, OrphanResult_StaysForAsLongAsTasksMayLieInTheBroker) {
  ControllerHarness harness;
  harness.reads_tasks = false;
  harness.lead_with({board("a")});
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "gone"}, 0, 1};
  earlier.device = "a";
  const DeliveryId result = harness.result(result_of(earlier));
  harness.advance(seconds(60));
  EXPECT_FALSE(harness.acked(result));
  harness.step(TasksRead{});
  harness.advance(seconds(9));
  EXPECT_FALSE(harness.acked(result));
  harness.advance(seconds(1));
  EXPECT_TRUE(harness.acked(result));
}

TEST(Controller, TwoOrphanResultsOfOneTask_NeitherStaysUnacked) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "t"}, 0, 1};
  earlier.device = "a";
  earlier.processor = "cpu0";
  earlier.variant = "n-fp32";
  const DeliveryId first = harness.result(result_of(earlier));
  earlier.attempt.number = 2;
  const DeliveryId second = harness.result(result_of(earlier, AttemptStatus::Error, "broke"));
  harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  harness.confirm_all();
  harness.advance(seconds(11));
  EXPECT_TRUE(harness.acked(first));
  EXPECT_TRUE(harness.acked(second));
}

// Either may be the one that an earlier leader has answered by.
TEST(Controller, TwoOrphanResultsThatSucceeded_BothStayUntilTheirTaskIsAnswered) {
  ControllerHarness harness;
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "t"}, 0, 1};
  earlier.device = "a";
  earlier.processor = "cpu0";
  earlier.variant = "n-fp32";
  const DeliveryId first = harness.result(result_of(earlier));
  earlier.attempt.number = 2;
  const DeliveryId second = harness.result(result_of(earlier));
  harness.lead_with({board("a")});
  EXPECT_FALSE(harness.acked(first));
  EXPECT_FALSE(harness.acked(second));
  const DeliveryId task = harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_FALSE(harness.acked(second));
  harness.confirm_all();
  EXPECT_LT(harness.index_of_ack(task), harness.index_of_ack(first));
  EXPECT_LT(harness.index_of_ack(task), harness.index_of_ack(second));
  EXPECT_TRUE(harness.acked(second));
}

TEST(Controller, OrphanOfAnEarlierConnection_DoesNotShortenTheWaitOfTheNext) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  Dispatch earlier;
  earlier.attempt = {{"reply_to:replies", "t"}, 0, 1};
  earlier.device = "a";
  harness.result(result_of(earlier));
  harness.advance(seconds(9));
  harness.end_lead();
  harness.begin_lead(2);
  const DeliveryId again = harness.result(result_of(earlier));
  harness.advance(seconds(9));
  EXPECT_FALSE(harness.acked(again));
  harness.advance(seconds(1));
  EXPECT_TRUE(harness.acked(again));
}

}  // namespace
}  // namespace juggler
