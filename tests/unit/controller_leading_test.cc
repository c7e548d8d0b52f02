// Beginning to lead, losing the connection, leading again; a predecessor's records and attempts.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::outcome_of;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board(const std::string& id = "a") {
  return device(id).serves(variant("n-fp32"), milliseconds(50));
}

AttemptId earlier_attempt(const std::string& task) { return {{"reply_to:replies", task}, 1, 1}; }

TEST(Controller, JustStarted_ATaskWithoutDevicesWaitsAndIsNotRejected) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.submit(submission("t"));
  harness.advance(seconds(1));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.hello(board());
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, WarmUpIsOver_WhatIsInfeasibleIsRejected) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.submit(submission("t"));
  harness.advance(harness.controller().config().warm_up - milliseconds(1));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.advance(milliseconds(1));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
}

TEST(Controller, WarmUpIsOver_InfeasibleTasksAreRejectedThoughEveryWindowIsFull) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.hello(device("a").window(1).serves(variant("n-fp32"), seconds(8)));
  harness.submit(submission("running").deadline(seconds(60)));
  harness.submit(submission("never").model("no-such-model").deadline(seconds(60)));
  harness.advance(seconds(4));
  ASSERT_FALSE(harness.outcomes().empty());
  EXPECT_EQ(harness.last_outcome().key.id, "never");
}

TEST(Controller, RedeliveredTask_WaitsForWordOfARunningAttempt) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered());
  EXPECT_TRUE(harness.dispatches().empty());
  harness.advance(harness.controller().config().adopt_wait);
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, RunningAttemptOfAnEarlierLeader_IsAdoptedAndNotRepeated) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered());
  Heartbeat beat;
  beat.running = {{earlier_attempt("t"), "0123456789abcdef"}};
  harness.heartbeat("a", beat);
  harness.advance(seconds(2));
  EXPECT_TRUE(harness.dispatches().empty());
  AttemptResult result;
  result.attempt = earlier_attempt("t");
  result.device = "a";
  result.processor = "cpu0";
  result.variant = "n-fp32";
  result.status = AttemptStatus::Ok;
  harness.result(result);
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
}

// Any device can say that it runs any task.
TEST(Controller, RunningAttemptWithoutAStamp_IsNotAdopted) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered());
  Heartbeat beat;
  beat.running = {{earlier_attempt("t")}};
  harness.heartbeat("a", beat);
  harness.advance(harness.controller().config().adopt_wait);
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, AdoptedAttemptThatNeverEnds_IsTriedAgain) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered().deadline(seconds(30)));
  Heartbeat beat;
  beat.running = {{earlier_attempt("t"), "0123456789abcdef"}};
  harness.heartbeat("a", beat);
  harness.advance(seconds(5));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_dispatch().attempt.epoch, 2);
}

TEST(Controller, AdoptedAttempt_TeachesNothingAboutTheNetwork) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered());
  Heartbeat beat;
  beat.running = {{earlier_attempt("t"), "0123456789abcdef"}};
  harness.heartbeat("a", beat);
  AttemptResult result;
  result.attempt = earlier_attempt("t");
  result.device = "a";
  result.processor = "cpu0";
  result.variant = "n-fp32";
  result.status = AttemptStatus::Ok;
  result.compute = milliseconds(50);
  harness.result(result);
  EXPECT_EQ(harness.controller().fleet().find("a")->network(), kNetworkDefault);
}

TEST(Controller, DecidedByAPredecessor_IsRepeatedAndNeverRun) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.decided(outcome_of("t", OutcomeKind::Expired, "the deadline passed"));
  const DeliveryId submitted = harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Expired);
  EXPECT_EQ(harness.last_outcome().reason, "the deadline passed");
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(submitted));
  harness.advance(seconds(5));
  EXPECT_TRUE(harness.dispatches().empty());
}

TEST(Controller, DecidedByAPredecessorButTheTaskCameFirst_IsNeverContradicted) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.hello(board());
  harness.submit(submission("t").redelivered());
  harness.decided(outcome_of("t", OutcomeKind::Rejected, "no device"));
  harness.advance(seconds(5));
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_EQ(harness.last_outcome().reason, "no device");
}

TEST(Controller, ConnectionLostWhileATaskRuns_ItsResultIsTakenAfterwards) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  const Dispatch dispatch = harness.last_dispatch();
  harness.end_lead();
  harness.advance(milliseconds(100));
  harness.begin_lead(2);
  const DeliveryId again = harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.result(result_of(dispatch));
  harness.confirm_all();
  EXPECT_EQ(harness.outcomes().size(), 1U);
  EXPECT_TRUE(harness.acked(again));
}

TEST(Controller, ConnectionLostBeforeTheConfirm_TheSameOutcomeIsSentAgain) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const DeliveryId first = harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch()));
  harness.end_lead();
  harness.begin_lead(2);
  const DeliveryId again = harness.submit(submission("t").redelivered());
  harness.confirm_all();
  const std::vector<Outcome> sent = harness.outcomes();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0], sent[1]);
  EXPECT_FALSE(harness.acked(first));  // void with its connection
  EXPECT_TRUE(harness.acked(again));
}

TEST(Controller, ResultRedeliveredWhileItsOutcomeIsUnconfirmed_IsAckedLast) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  const Dispatch dispatch = harness.last_dispatch();
  harness.result(result_of(dispatch));
  harness.end_lead();
  harness.begin_lead(2);
  const DeliveryId result = harness.result(result_of(dispatch));
  EXPECT_FALSE(harness.acked(result));
  const DeliveryId submitted = harness.submit(submission("t").redelivered());
  harness.confirm_all();
  ASSERT_TRUE(harness.acked(result));
  EXPECT_LT(harness.index_of_ack(submitted), harness.index_of_ack(result));
}

// A task whose result has come, in a controller that loses its connection and leads again at once.
struct ReturningLeader {
  ReturningLeader() {
    harness.lead_with({board()});
    harness.submit(submission("t"));
    dispatch = harness.last_dispatch();
    harness.result(result_of(dispatch));
  }
  void lose() { harness.end_lead(); }
  void lead() {
    const std::int64_t mine = harness.controller().epoch();
    harness.begin_lead(mine + 1, mine);
  }
  DeliveryId result() { return harness.result(result_of(dispatch)); }
  DeliveryId submit() { return harness.submit(submission("t").redelivered()); }
  void expect_acked_in_order(DeliveryId submission, DeliveryId result) {
    ASSERT_TRUE(harness.acked(submission));
    ASSERT_TRUE(harness.acked(result));
    EXPECT_LT(harness.index_of_ack(submission), harness.index_of_ack(result));
  }
  ControllerHarness harness;
  Dispatch dispatch;
};

// Before the lead, too, a guessed one must not stand in the way of the one that was computed.
TEST(Controller, InventedResultBeforeTheLead_IsNotKept) {
  ReturningLeader leader;
  leader.lose();
  AttemptResult invented = result_of(leader.dispatch);
  invented.attempt.number = 7;
  invented.labels = {{.index = 1, .name = "forged", .score = 1.0}};
  EXPECT_TRUE(leader.harness.acked(leader.harness.result_without_stamp(invented)));
  const DeliveryId true_one = leader.result();
  leader.lead();
  const DeliveryId submission = leader.submit();
  leader.harness.confirm_all();
  leader.expect_acked_in_order(submission, true_one);
}

// Of a consumer of an earlier version; of two, the one with a stamp is the one that a successor
// can use.
TEST(Controller, ResultsWithAndWithoutAStampBeforeTheLead_TheOneWithAStampCounts) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  const Dispatch known = harness.last_dispatch();
  harness.end_lead();
  const DeliveryId old = harness.result_without_stamp(result_of(known));
  AttemptResult result = result_of(known);
  result.attempt.epoch = 5;  // of whoever led meanwhile
  result.attempt.number = 2;
  result.batch_size = 1;
  result.compute = milliseconds(7);
  const DeliveryId stamped = harness.result(result);
  EXPECT_FALSE(harness.acked(old));
  harness.begin_lead(6, 5);
  const DeliveryId task = harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.last_outcome().compute, milliseconds(7));
  harness.confirm_all();
  EXPECT_LT(harness.index_of_ack(task), harness.index_of_ack(stamped));
  EXPECT_TRUE(harness.acked(old));
}

// A broker that starts slowly gives the results at once and the lead much later.
TEST(Controller, LeadBeginsLongAfterTheResults_TheyWaitForTheirSubmissions) {
  ReturningLeader leader;
  leader.lose();
  const DeliveryId result = leader.result();
  leader.harness.advance(seconds(30));
  EXPECT_FALSE(leader.harness.acked(result));
  leader.lead();
  leader.harness.advance(seconds(9));
  EXPECT_FALSE(leader.harness.acked(result));
  const DeliveryId submission = leader.submit();
  leader.harness.confirm_all();
  leader.expect_acked_in_order(submission, result);
}

TEST(Controller, TwoResultsBeforeTheLead_BothOutliveTheirSubmission) {
  ReturningLeader leader;
  leader.lose();
  AttemptResult other = result_of(leader.dispatch);
  other.attempt.number = 2;
  const DeliveryId second = leader.harness.result(other);
  const DeliveryId stands = leader.result();
  leader.lead();
  EXPECT_FALSE(leader.harness.acked(second));
  EXPECT_FALSE(leader.harness.acked(stands));
  const DeliveryId submission = leader.submit();
  leader.harness.confirm_all();
  leader.expect_acked_in_order(submission, stands);
  leader.harness.advance(leader.harness.controller().config().orphan_result_max);
  leader.expect_acked_in_order(submission, second);
}

// Whether the acks of the last lead reached the broker nobody knows: a successor that found the
// task without its result would run it again.
TEST(Controller, AcksLostWithTheConnection_TheResultOutlivesItsSubmission) {
  ReturningLeader leader;
  leader.harness.confirm_all();
  leader.lose();
  const DeliveryId early = leader.result();  // before the lead begins
  leader.harness.advance(seconds(1));
  leader.lead();
  EXPECT_FALSE(leader.harness.acked(early));
  const DeliveryId submitted = leader.submit();
  leader.harness.confirm_all();
  leader.harness.advance(leader.harness.controller().config().orphan_result_max - Micros{1});
  EXPECT_FALSE(leader.harness.acked(early));
  leader.harness.advance(Micros{1});
  leader.expect_acked_in_order(submitted, early);
  EXPECT_EQ(leader.harness.dispatches().size(), 1U);
}

TEST(Controller, AcksLostAndTheBrokerSlowToConfirm_TheResultWaitsForTheAck) {
  ReturningLeader leader;
  leader.harness.confirm_all();
  leader.lose();
  leader.lead();
  const DeliveryId result = leader.result();
  const DeliveryId submitted = leader.submit();
  leader.harness.advance(leader.harness.controller().config().orphan_result_max * 2);
  EXPECT_FALSE(leader.harness.acked(result));
  leader.harness.confirm_all();
  leader.expect_acked_in_order(submitted, result);
}

TEST(Controller, OutcomeConfirmedBeforeItsTaskCameAgain_TheTaskLivesUntilThen) {
  ReturningLeader leader;
  leader.lose();
  leader.harness.clear();
  leader.lead();
  const DeliveryId result = leader.result();
  leader.harness.confirm_all();
  EXPECT_FALSE(leader.harness.acked(result));
  leader.expect_acked_in_order(leader.submit(), result);
  EXPECT_EQ(leader.harness.outcomes().size(), 1U);
  EXPECT_EQ(leader.harness.controller().tasks().size(), 0U);
}

TEST(Controller, OutcomeWentToTheUnroutedBeforeItsTaskCameAgain_ItsSubmissionIsStillKnown) {
  ReturningLeader leader;
  leader.lose();
  leader.harness.clear();
  leader.lead();
  leader.harness.settle(leader.harness.all<SendOutcome>().back().id, PublishEnd::Returned);
  leader.harness.confirm_all();
  EXPECT_TRUE(leader.harness.all<SendOutcome>().back().reply_to.empty());
  EXPECT_TRUE(leader.harness.acked(leader.submit()));
  EXPECT_EQ(leader.harness.outcomes().size(), 2U);
  EXPECT_EQ(leader.harness.controller().tasks().size(), 0U);
}

TEST(Controller, OutcomeConfirmedAndItsTaskNeverComesAgain_IsForgottenInTheEnd) {
  ReturningLeader leader;
  leader.lose();
  leader.lead();
  const DeliveryId result = leader.result();
  leader.harness.confirm_all();
  EXPECT_EQ(leader.harness.controller().tasks().size(), 1U);
  leader.harness.advance(leader.harness.controller().config().orphan_result_max);
  EXPECT_EQ(leader.harness.controller().tasks().size(), 0U);
  EXPECT_TRUE(leader.harness.acked(result));
}

TEST(Controller, OutcomeConfirmedAndTheConnectionLostTwice_TheTaskIsAckedInTheEnd) {
  ReturningLeader leader;
  leader.lose();
  leader.lead();
  leader.harness.confirm_all();
  leader.lose();
  leader.lead();
  EXPECT_TRUE(leader.harness.acked(leader.submit()));
  EXPECT_EQ(leader.harness.controller().tasks().size(), 0U);
}

TEST(Controller, ResultAgainAfterItsTaskWasAckedOverThisConnection_IsAckedAtOnce) {
  ReturningLeader leader;
  leader.harness.confirm_all();
  EXPECT_TRUE(leader.harness.acked(leader.result()));
}

TEST(Controller, ResultAgainWhileItsTaskIsAnsweredAgain_IsAckedLast) {
  ReturningLeader leader;
  leader.harness.confirm_all();
  const DeliveryId repeated = leader.harness.submit(submission("t"));
  const DeliveryId result = leader.result();
  EXPECT_FALSE(leader.harness.acked(result));
  leader.harness.confirm_all();
  leader.expect_acked_in_order(repeated, result);
}

TEST(Controller, DeadlineWhileThereIsNoConnection_IsAnsweredWhenItIsBack) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t").deadline(seconds(1)));
  harness.end_lead();
  harness.advance(seconds(2));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.begin_lead(2);
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Expired);
}

TEST(Controller, AnotherLedMeanwhile_WhatWasDecidedHereIsForgotten) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const std::int64_t mine = harness.controller().epoch();
  harness.submit(submission("t").deadline(seconds(1)));
  harness.end_lead();
  harness.advance(seconds(2));  // expired, as far as this one knows
  harness.clear();
  harness.begin_lead(mine + 2, mine + 1);
  EXPECT_TRUE(harness.outcomes().empty());
  EXPECT_EQ(harness.controller().tasks().size(), 0U);
}

TEST(Controller, AnotherLedMeanwhileAndDecided_ThatStandsThoughItIsReadBeforeTheLead) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const std::int64_t mine = harness.controller().epoch();
  harness.submit(submission("t"));
  harness.end_lead();
  harness.decided(outcome_of("t", OutcomeKind::Rejected, "no device"));
  harness.clear();
  harness.begin_lead(mine + 2, mine + 1);
  harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_TRUE(harness.dispatches().empty());
}

TEST(Controller, NobodyLedMeanwhile_WhatItKnewStands) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const std::int64_t mine = harness.controller().epoch();
  harness.submit(submission("t"));
  harness.end_lead();
  harness.begin_lead(mine + 1, mine);
  EXPECT_EQ(harness.controller().tasks().size(), 1U);
}

TEST(Controller, NoConnection_NothingIsDispatched) {
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t"));
  harness.end_lead();
  harness.clear();
  harness.advance(seconds(4));  // the attempt's time is up
  EXPECT_TRUE(harness.dispatches().empty());
  harness.begin_lead(2);
  harness.advance(seconds(3));  // its time counts from the connection
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, OutageLongerThanAnAttemptsTime_IsNotBlamedOnTheDevice) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t").deadline(seconds(300)));
  const Dispatch dispatch = harness.last_dispatch();
  harness.end_lead();
  harness.advance(seconds(60));
  harness.begin_lead(2);
  harness.submit(submission("t").redelivered().deadline(seconds(300)));
  harness.advance(seconds(2));  // the device finds the broker again
  harness.result(result_of(dispatch));
  harness.confirm_all();
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.controller().stats().attempts_timed_out, 0U);
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.controller().fleet().find("a")->network(), kNetworkDefault);
}

TEST(Controller, BrokerBlockedForLongerThanAnAttemptsTime_IsNotBlamedOnTheDevice) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t").deadline(seconds(300)));
  const Dispatch dispatch = harness.last_dispatch();
  harness.step(BrokerBlocked{true});
  harness.advance(seconds(60));
  harness.step(BrokerBlocked{false});
  harness.advance(seconds(2));
  harness.result(result_of(dispatch));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.controller().stats().attempts_timed_out, 0U);
  EXPECT_EQ(harness.controller().fleet().find("a")->network(), kNetworkDefault);
}

TEST(Controller, DispatchLostInAnOutage_IsFoundByTheAttemptsTimeAfterIt) {
  ControllerHarness harness(test::without_hedges(), "fastest-finish");
  harness.lead_with({board("a"), board("b")});
  harness.submit(submission("t").deadline(seconds(300)));
  harness.end_lead();
  harness.advance(seconds(60));
  harness.begin_lead(2);
  harness.advance(seconds(3));
  EXPECT_EQ(harness.controller().stats().attempts_timed_out, 1U);
  ASSERT_EQ(harness.dispatches().size(), 2U);
  EXPECT_EQ(harness.last_dispatch().device, "b");
}

TEST(Controller, LongWithoutAConnection_DevicesAreNotLostForTheSilence) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.silence("a");
  harness.end_lead();
  harness.advance(seconds(100));
  harness.begin_lead(2);
  harness.advance(seconds(2));
  EXPECT_EQ(harness.controller().fleet().find("a")->liveness, Liveness::Live);
}

TEST(Controller, ManyReconnects_LeaveOneLivenessTimer) {
  ControllerHarness harness;
  harness.lead_with({board()});
  for (int i = 2; i < 30; ++i) {
    harness.end_lead();
    harness.begin_lead(i);
    harness.advance(milliseconds(10));
  }
  harness.advance(seconds(10));
  int ticks = 0;
  const Time end = harness.now() + seconds(10);
  while (harness.controller().next_timer() < end) {
    const Time before = harness.controller().next_timer();
    harness.advance(before - harness.now());
    ticks += 1;
  }
  EXPECT_LE(ticks, 21);
}

TEST(Controller, BrokerBlocked_NothingIsDispatchedUntilItTakesMessagesAgain) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.step(BrokerBlocked{true});
  harness.submit(submission("t"));
  EXPECT_TRUE(harness.dispatches().empty());
  harness.step(BrokerBlocked{false});
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, BrokerBlocked_NobodyIsLostForTheSilence) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.silence("a");
  harness.step(BrokerBlocked{true});
  harness.advance(seconds(60));
  EXPECT_EQ(harness.controller().fleet().find("a")->liveness, Liveness::Live);
  harness.step(BrokerBlocked{false});
  harness.advance(seconds(2));
  EXPECT_EQ(harness.controller().fleet().find("a")->liveness, Liveness::Live);
}

TEST(Controller, SettlementOfAPublishItDoesNotKnow_IsIgnored) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.step(PublishSettled{12'345, PublishEnd::Confirmed});
  EXPECT_TRUE(harness.all<AckDelivery>().empty());
}

TEST(Controller, SameEvents_GiveTheSameActions) {
  const auto run = [] {
    ControllerHarness harness(ControllerConfig{}, "random");
    harness.lead_with({board("a"), board("b"), board("c")});
    for (int i = 0; i < 20; ++i) {
      harness.submit(submission("t" + std::to_string(i)));
      harness.advance(milliseconds(20));
      harness.result(result_of(harness.last_dispatch()));
    }
    std::vector<std::string> devices;
    for (const Dispatch& dispatch : harness.dispatches()) {
      devices.push_back(dispatch.device);
    }
    return devices;
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace juggler
