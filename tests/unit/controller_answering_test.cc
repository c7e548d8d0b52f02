// How the one outcome goes out: what it says, and the order of confirms and acks.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::outcome_of;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board(const std::string& id = "d") {
  return device(id).serves(variant("n-fp32", 76.1), milliseconds(50), energy_mj(100));
}

// A controller with one device and one task in flight on it.
struct InFlightTask {
  explicit InFlightTask(const std::string& id = "t") {
    harness.lead_with({board()});
    submitted = harness.submit(submission(id));
    dispatch = harness.last_dispatch();
    harness.confirm_all();
    harness.clear();
  }
  ControllerHarness harness;
  DeliveryId submitted;
  Dispatch dispatch;
};

TEST(Controller, Result_BecomesACompletedOutcomeThatSaysHow) {
  InFlightTask task;
  task.harness.advance(milliseconds(100));
  AttemptResult result = result_of(task.dispatch);
  result.queued = milliseconds(10);
  result.compute = milliseconds(60);
  result.energy = energy_mj(90);
  task.harness.result(result);
  ASSERT_EQ(task.harness.all<SendOutcome>().size(), 1U);
  const SendOutcome sent = task.harness.all<SendOutcome>().front();
  EXPECT_EQ(sent.reply_to, "replies");
  EXPECT_EQ(sent.correlation_id, "t");
  const Outcome& outcome = sent.outcome;
  EXPECT_EQ(outcome.kind, OutcomeKind::Completed);
  EXPECT_EQ(outcome.labels, result.labels);
  EXPECT_EQ(outcome.device, "d");
  EXPECT_EQ(outcome.processor, "cpu0");
  EXPECT_EQ(outcome.variant, "n-fp32");
  EXPECT_EQ(outcome.runtime, "test runtime");
  EXPECT_EQ(outcome.accuracy, MilliPercent{76'100});
  EXPECT_EQ(outcome.weights, Weights::Pretrained);
  EXPECT_EQ(outcome.energy, result.energy);
  EXPECT_FALSE(outcome.twin);
  EXPECT_EQ(outcome.attempts, (std::vector<AttemptRecord>{{"d", "cpu0", "n-fp32", "ok"}}));
}

TEST(Controller, Outcome_TimesAddUp) {
  InFlightTask task;
  task.harness.advance(milliseconds(100));
  AttemptResult result = result_of(task.dispatch);
  result.queued = milliseconds(10);
  result.compute = milliseconds(60);
  task.harness.result(result);
  const Outcome outcome = task.harness.last_outcome();
  EXPECT_EQ(outcome.total, milliseconds(100));
  EXPECT_EQ(outcome.network, milliseconds(30));
  EXPECT_EQ(outcome.waiting + outcome.network + outcome.queued + outcome.compute, outcome.total);
}

TEST(Controller, Completed_SubmissionIsAckedAfterTheConfirmAndTheResultLast) {
  InFlightTask task;
  const DeliveryId result = task.harness.result(result_of(task.dispatch));
  EXPECT_FALSE(task.harness.acked(task.submitted));
  EXPECT_FALSE(task.harness.acked(result));
  task.harness.confirm_all();
  ASSERT_TRUE(task.harness.acked(task.submitted));
  ASSERT_TRUE(task.harness.acked(result));
  EXPECT_LT(task.harness.index_of_ack(task.submitted), task.harness.index_of_ack(result));
}

TEST(Controller, Completed_PayloadIsDroppedOnce) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  EXPECT_EQ(task.harness.all<DropPayload>().size(), 1U);
  task.harness.confirm_all();
  EXPECT_EQ(task.harness.all<DropPayload>().size(), 1U);
  EXPECT_EQ(task.harness.controller().tasks().size(), 0U);
}

TEST(Controller, Failed_PayloadIsKeptUntilItsDeadLetterIsConfirmed) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch, AttemptStatus::BadPayload, "not a picture"));
  EXPECT_EQ(task.harness.last_outcome().kind, OutcomeKind::Failed);
  EXPECT_TRUE(task.harness.all<DropPayload>().empty());
  task.harness.confirm_all();
  EXPECT_EQ(task.harness.all<DropPayload>().size(), 1U);
}

// Sent beside its record, the outcome could be read and the record be lost with the broker: the
// next leader would run the task, and contradict what was told.
TEST(Controller, Rejected_RecordThenOutcomeThenAckEachAfterTheConfirmBefore) {
  ControllerHarness harness;
  harness.hold_records();
  harness.lead_with({board()});
  const DeliveryId submitted = harness.submit(submission("t").min_accuracy(99));
  ASSERT_EQ(harness.all<SendDecided>().size(), 1U);
  EXPECT_TRUE(harness.all<SendOutcome>().empty());
  EXPECT_TRUE(harness.all<SendDead>().empty());
  harness.settle(harness.all<SendDecided>().front().id);
  ASSERT_EQ(harness.all<SendOutcome>().size(), 1U);
  EXPECT_FALSE(harness.acked(submitted));
  harness.settle(harness.all<SendOutcome>().front().id);
  EXPECT_TRUE(harness.acked(submitted));
}

TEST(Controller, SameIdWhileItsRecordIsUnconfirmed_EachIsToldOnceAfterIt) {
  ControllerHarness harness;
  harness.hold_records();
  harness.lead_with({board()});
  harness.submit(submission("t").min_accuracy(99));
  harness.submit(submission("t").min_accuracy(99));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.confirm_all();
  EXPECT_EQ(harness.outcomes().size(), 2U);
  EXPECT_EQ(harness.all<SendDecided>().size(), 1U);
}

TEST(Controller, RecordRefusedForTooLong_TheOutcomeIsSentWithoutIt) {
  ControllerHarness harness;
  harness.expect_complaints();  // nobody keeps what was decided
  harness.hold_records();
  harness.lead_with({board()});
  const DeliveryId submitted = harness.submit(submission("t").min_accuracy(99));
  for (int i = 0; i <= harness.controller().config().resends_max; ++i) {
    EXPECT_TRUE(harness.outcomes().empty());
    harness.settle(harness.all<SendDecided>().back().id, PublishEnd::Refused);
    harness.advance(harness.controller().config().resend_after);
  }
  ASSERT_EQ(harness.outcomes().size(), 1U);
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(submitted));
}

TEST(Controller, Redelivery_SubmitAfterAnswer_AnsweredOnceAgainAndNeverRun) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  const Outcome first = task.harness.last_outcome();
  task.harness.confirm_all();
  task.harness.clear();
  const DeliveryId again = task.harness.submit(submission("t").redelivered());
  EXPECT_TRUE(task.harness.dispatches().empty());
  ASSERT_EQ(task.harness.outcomes().size(), 1U);
  EXPECT_EQ(task.harness.last_outcome(), first);
  EXPECT_FALSE(task.harness.acked(again));
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(again));
  EXPECT_EQ(task.harness.controller().stats().repeated, 1U);
}

TEST(Controller, SameIdWhileItLives_AttachesOneRunAnAnswerForEach) {
  InFlightTask task;
  const DeliveryId second =
      task.harness.submit(submission("t").reply_to("elsewhere").correlation("c2"));
  EXPECT_TRUE(task.harness.dispatches().empty());
  EXPECT_EQ(task.harness.all<DropPayload>().size(), 1U);  // the second copy's
  task.harness.result(result_of(task.dispatch));
  const std::vector<SendOutcome> sent = task.harness.all<SendOutcome>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].reply_to, "replies");
  EXPECT_EQ(sent[1].reply_to, "elsewhere");
  EXPECT_EQ(sent[1].correlation_id, "c2");
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(task.submitted));
  EXPECT_TRUE(task.harness.acked(second));
}

TEST(Controller, SameIdWhileItIsBeingAnswered_IsAnsweredToo) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  task.harness.clear();
  const DeliveryId second = task.harness.submit(submission("t").reply_to("elsewhere"));
  ASSERT_EQ(task.harness.all<SendOutcome>().size(), 1U);
  EXPECT_EQ(task.harness.all<SendOutcome>()[0].reply_to, "elsewhere");
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(second));
}

TEST(Controller, SameIdOfAnotherSubmitter_IsAnotherTask) {
  InFlightTask task;
  task.harness.submit(submission("t").submitter("user:eve"));
  ASSERT_EQ(task.harness.dispatches().size(), 1U);
  EXPECT_EQ(task.harness.last_dispatch().attempt.task.submitter, "user:eve");
}

TEST(Controller, NoId_TwoEqualSubmissionsAreTwoTasks) {
  ControllerHarness harness;
  harness.lead_with({board("a"), board("b")});
  for (int i = 0; i < 2; ++i) {
    harness.submit(Submitted{
        .submission = submission("anonymous-1"), .delivery = {}, .refusal = {}, .id_given = false});
  }
  const std::vector<Dispatch> dispatches = harness.dispatches();
  ASSERT_EQ(dispatches.size(), 2U);
  EXPECT_NE(dispatches[0].attempt.task.id, dispatches[1].attempt.task.id);
}

TEST(Controller, NoId_RedeliveredAfterAReconnect_IsNotRunAgain) {
  ControllerHarness harness;
  harness.lead_with({board("a"), board("b")});
  Submitted event{
      .submission = submission("anonymous-1"), .delivery = {}, .refusal = {}, .id_given = false};
  harness.submit(event);
  harness.end_lead();
  harness.begin_lead(2);
  event.submission.redelivered = true;
  const DeliveryId again = harness.submit(event);
  harness.advance(milliseconds(20));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.result(result_of(harness.last_dispatch()));
  harness.confirm_all();
  EXPECT_EQ(harness.outcomes().size(), 1U);
  EXPECT_TRUE(harness.acked(again));
}

TEST(Controller, Failed_SubmissionIsAckedOnlyAfterTheDeadLetterIsConfirmedToo) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const DeliveryId submitted = harness.submit(submission("t"));
  harness.confirm_all();
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::BadPayload, "torn"));
  harness.settle(harness.all<SendOutcome>().front().id);
  EXPECT_FALSE(harness.acked(submitted));
  harness.settle(harness.all<SendDead>().front().id);
  EXPECT_TRUE(harness.acked(submitted));
}

TEST(Controller, FailedTaskSubmittedAgain_IsNotDeadLetteredAgain) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::BadPayload, "torn"));
  harness.confirm_all();
  harness.clear();
  const DeliveryId again = harness.submit(submission("t"));
  EXPECT_TRUE(harness.all<SendDead>().empty());
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(again));
}

TEST(Controller, FailedTaskRedelivered_IsDeadLetteredAgainInCaseItNeverWas) {
  ControllerHarness harness;
  harness.begin_lead(2);
  harness.decided(outcome_of("t", OutcomeKind::Failed, "3 attempts failed"));
  harness.submit(submission("t").redelivered());
  EXPECT_EQ(harness.all<SendDead>().size(), 1U);
}

TEST(Controller, EveryQueueRefusesForGood_TheSubmissionGoesToTheDeadLetters) {
  InFlightTask task;
  task.harness.expect_complaints();
  task.harness.result(result_of(task.dispatch));
  for (int i = 0; i < 100 && !task.harness.rejected(task.submitted); ++i) {
    task.harness.settle(task.harness.all<SendOutcome>().back().id, PublishEnd::Refused);
    task.harness.advance(milliseconds(500));
  }
  EXPECT_TRUE(task.harness.rejected(task.submitted));
  EXPECT_FALSE(task.harness.acked(task.submitted));
  EXPECT_TRUE(task.harness.all<RejectDelivery>().back().stranded.has_value());
}

TEST(Controller, ReplyQueueIsGone_OutcomeGoesToUnrouted) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  task.harness.settle(task.harness.all<SendOutcome>().front().id, PublishEnd::Returned);
  const std::vector<SendOutcome> sent = task.harness.all<SendOutcome>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].reply_to, "");
  EXPECT_FALSE(task.harness.acked(task.submitted));
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(task.submitted));
}

// A submitter whose reply queues take nothing keeps few places in the window of deliveries.
TEST(Controller, ManyRepliesRefused_GoToUnroutedAtOnce_AndAnothersAreSentAgain) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const auto refused = [&](const std::string& id, const std::string& user) {
    harness.submit(submission(id).submitter(user).reply_to("full").min_accuracy(99.0));
    EXPECT_EQ(harness.all<SendOutcome>().back().reply_to, "full") << id;
    harness.settle(harness.all<SendOutcome>().back().id, PublishEnd::Refused);
  };
  for (int i = 0; i < 600; ++i) {
    refused("t" + std::to_string(i), "user:floods");
  }
  refused("one", "user:other");
  harness.clear();
  harness.advance(milliseconds(500));
  ASSERT_EQ(harness.all<SendOutcome>().size(), 601U);
  for (const SendOutcome& sent : harness.all<SendOutcome>()) {
    EXPECT_EQ(sent.reply_to, "full");
    harness.settle(sent.id, PublishEnd::Refused);
  }
  harness.clear();
  harness.advance(milliseconds(500));
  std::size_t unrouted = 0;
  for (const SendOutcome& sent : harness.all<SendOutcome>()) {
    unrouted += sent.reply_to.empty() ? 1U : 0U;
    harness.settle(sent.id, sent.reply_to.empty() ? PublishEnd::Confirmed : PublishEnd::Refused);
  }
  EXPECT_EQ(unrouted, 600U) << "all, until no more than 512 are left";
  EXPECT_EQ(harness.controller().tasks().size(), 1U) << "the other's is still sent to its queue";
}

TEST(Controller, NobodyWaits_OutcomeGoesToUnrouted) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t").reply_to(""));
  harness.result(result_of(harness.last_dispatch()));
  ASSERT_EQ(harness.all<SendOutcome>().size(), 1U);
  EXPECT_EQ(harness.all<SendOutcome>()[0].reply_to, "");
}

TEST(Controller, OutcomeRefusedByTheBroker_IsSentAgainAfterAPause) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  task.harness.settle(task.harness.all<SendOutcome>().front().id, PublishEnd::Refused);
  EXPECT_EQ(task.harness.all<SendOutcome>().size(), 1U);
  task.harness.advance(milliseconds(500));
  ASSERT_EQ(task.harness.all<SendOutcome>().size(), 2U);
  EXPECT_EQ(task.harness.outcomes()[0], task.harness.outcomes()[1]);
  EXPECT_FALSE(task.harness.acked(task.submitted));
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(task.submitted));
}

TEST(Controller, OneOfTwoRepliesRefused_OnlyThatOneIsSentAgain) {
  InFlightTask task;
  task.harness.submit(submission("t").reply_to("full"));
  task.harness.result(result_of(task.dispatch));
  const std::vector<SendOutcome> sent = task.harness.all<SendOutcome>();
  ASSERT_EQ(sent.size(), 2U);
  task.harness.settle(sent[0].id);
  task.harness.settle(sent[1].id, PublishEnd::Refused);
  task.harness.clear();
  task.harness.advance(milliseconds(500));
  ASSERT_EQ(task.harness.all<SendOutcome>().size(), 1U);
  EXPECT_EQ(task.harness.all<SendOutcome>()[0].reply_to, "full");
}

TEST(Controller, ReplyQueueRefusesForGood_OutcomeGoesToUnroutedAndIsNotLost) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  for (int i = 0; i < 100 && !task.harness.acked(task.submitted); ++i) {
    const SendOutcome last = task.harness.all<SendOutcome>().back();
    if (last.reply_to.empty()) {
      task.harness.settle(last.id);
      break;
    }
    task.harness.settle(last.id, PublishEnd::Refused);
    task.harness.advance(milliseconds(500));
  }
  EXPECT_EQ(task.harness.all<SendOutcome>().back().reply_to, "");
  EXPECT_TRUE(task.harness.acked(task.submitted));
}

TEST(Controller, LateResultOfAnAnsweredTask_IsAckedAndCounted) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  task.harness.confirm_all();
  const DeliveryId late = task.harness.result(result_of(task.dispatch));
  EXPECT_TRUE(task.harness.acked(late));
  EXPECT_EQ(task.harness.controller().stats().results_late, 1U);
  EXPECT_EQ(task.harness.outcomes().size(), 1U);
}

TEST(Controller, ResultAgainWhileItsOutcomeIsUnconfirmed_IsAckedLastToo) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  const DeliveryId again = task.harness.result(result_of(task.dispatch));
  EXPECT_FALSE(task.harness.acked(again));
  task.harness.confirm_all();
  EXPECT_TRUE(task.harness.acked(again));
}

TEST(Controller, DeadlinePassesBeforeTheResult_ExpiresAndTheResultChangesNothing) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t").deadline(milliseconds(200)));
  const Dispatch dispatch = harness.last_dispatch();
  harness.advance(milliseconds(200));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Expired);
  EXPECT_EQ(harness.last_outcome().total, milliseconds(200));
  const DeliveryId late = harness.result(result_of(dispatch));
  EXPECT_EQ(harness.outcomes().size(), 1U);
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(late));
}

TEST(Controller, TaskAnswered_IsToldOncePerTask) {
  InFlightTask task;
  task.harness.result(result_of(task.dispatch));
  task.harness.confirm_all();
  task.harness.submit(submission("t").redelivered());
  task.harness.confirm_all();
  EXPECT_EQ(task.harness.all<TaskAnswered>().size(), 1U);
}

TEST(Controller, Twin_IsNamedInTheOutcome) {
  ControllerHarness harness;
  harness.lead_with({device("d").twin().serves(variant("n-fp32"), milliseconds(5))});
  harness.submit(submission("t"));
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_TRUE(harness.last_outcome().twin);
}

}  // namespace
}  // namespace juggler
