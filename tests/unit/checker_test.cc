// The checker must complain: one test for each rule, with a driver that breaks it.

#include "sim/checker.h"

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using sim::InvariantChecker;
using test::device;
using test::outcome_of;
using test::submission;
using test::variant;

constexpr Time kNow{5'000'000};

// A checker and a controller that has one task in flight, so that forged actions can be judged.
class Forge {
 public:
  Forge() {
    harness_.lead_with(
        {device("d").serves(variant("n-fp32", 75), milliseconds(50), test::energy_mj(100))});
    tell(HelloArrived{
        device("d").serves(variant("n-fp32", 75), milliseconds(50), test::energy_mj(100))});
  }
  void submit(const Submission& submission) {
    harness_.submit(submission);
    tell(Submitted{.submission = submission, .delivery = {1, ++tag_}, .refusal = {}});
  }
  void tell(const ControllerEvent& event, std::vector<ControllerAction> actions = {}) {
    tell_of(0, event, std::move(actions));
  }
  void tell_of(std::size_t who, const ControllerEvent& event,
               std::vector<ControllerAction> actions = {}) {
    checker_.stepped(harness_.now(), event, actions, harness_.controller(), who);
  }
  Dispatch dispatch() { return harness_.last_dispatch(); }
  bool complains_of(const std::string& part) const {
    return checker_.report().find(part) != std::string::npos;
  }
  std::string report() const { return checker_.report(); }
  test::ControllerHarness& harness() { return harness_; }

 private:
  test::ControllerHarness harness_;
  InvariantChecker checker_;
  std::uint64_t tag_ = 0;
};

TEST(InvariantChecker, NothingWrong_NoComplaint) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {SendDispatch{1, forge.dispatch()}});
  EXPECT_EQ(forge.report(), "");
}

TEST(InvariantChecker, TwoOutcomes_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {SendOutcome{1, outcome_of("t", OutcomeKind::Completed), "replies", ""}});
  forge.tell(PublishSettled{1, PublishEnd::Confirmed});
  forge.tell(Tick{}, {SendOutcome{2, outcome_of("t", OutcomeKind::Expired), "replies", ""}});
  EXPECT_TRUE(forge.complains_of("a second outcome")) << forge.report();
}

TEST(InvariantChecker, DispatchOfNoTask_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  Dispatch dispatch = forge.dispatch();
  dispatch.attempt.task.id = "never-seen";
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_TRUE(forge.complains_of("never accepted")) << forge.report();
}

TEST(InvariantChecker, DispatchAfterTheAnswer_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {SendOutcome{1, outcome_of("t", OutcomeKind::Completed), "replies", ""}});
  forge.tell(PublishSettled{1, PublishEnd::Confirmed});
  forge.tell(Tick{}, {SendDispatch{2, forge.dispatch()}});
  EXPECT_TRUE(forge.complains_of("would run again")) << forge.report();
}

TEST(InvariantChecker, DispatchToAnUnknownDevice_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  Dispatch dispatch = forge.dispatch();
  dispatch.device = "stranger";
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_TRUE(forge.complains_of("never said hello")) << forge.report();
}

TEST(InvariantChecker, DispatchToADrainingDevice_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  Heartbeat beat;
  beat.device = "d";
  beat.incarnation = 1;
  beat.draining = true;
  forge.tell(HeartbeatArrived{beat});
  forge.tell(Tick{}, {SendDispatch{1, forge.dispatch()}});
  EXPECT_TRUE(forge.complains_of("draining")) << forge.report();
}

TEST(InvariantChecker, DispatchToASilentDevice_Complains) {
  Forge forge;
  forge.submit(submission("t").deadline(seconds(60)));
  const Dispatch dispatch = forge.dispatch();
  for (int i = 0; i < 20; ++i) {  // a controller that is never late, as far as the checker sees
    forge.harness().advance(milliseconds(200));
    forge.tell(Tick{});
  }
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_TRUE(forge.complains_of("silent")) << forge.report();
}

// It could hear nobody: what it sends in its first step is not held against it.
TEST(InvariantChecker, DispatchByAControllerThatWasStoppedItself_DoesNotComplain) {
  Forge forge;
  forge.submit(submission("t").deadline(seconds(60)));
  const Dispatch dispatch = forge.dispatch();
  forge.harness().advance(seconds(4));
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_FALSE(forge.complains_of("silent")) << forge.report();
}

TEST(InvariantChecker, DispatchWithoutAProfile_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  Dispatch dispatch = forge.dispatch();
  dispatch.variant = "other-fp32";
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_TRUE(forge.complains_of("without a profile")) << forge.report();
}

TEST(InvariantChecker, DispatchWithTimeItDoesNotHave_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  Dispatch dispatch = forge.dispatch();
  dispatch.budget = dispatch.budget + Micros{1};
  forge.tell(Tick{}, {SendDispatch{1, dispatch}});
  EXPECT_TRUE(forge.complains_of("time it does not have")) << forge.report();
}

TEST(InvariantChecker, AckBeforeTheConfirm_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {AckDelivery{{1, 1}}});
  EXPECT_TRUE(forge.complains_of("before its outcome was confirmed")) << forge.report();
}

TEST(InvariantChecker, AckBeforeTheDecidedRecord_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {SendOutcome{1, outcome_of("t", OutcomeKind::Rejected), "replies", ""}});
  forge.tell(PublishSettled{1, PublishEnd::Confirmed}, {AckDelivery{{1, 1}}});
  EXPECT_TRUE(forge.complains_of("before its decided record")) << forge.report();
}

TEST(InvariantChecker, OutcomeBeforeItsDecidedRecord_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {SendOutcome{1, outcome_of("t", OutcomeKind::Rejected), "replies", ""}});
  EXPECT_TRUE(forge.complains_of("before its record was confirmed")) << forge.report();
}

TEST(InvariantChecker, ResultAckedWhileItsSubmissionIsToComeAgain_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  const AttemptResult result = test::result_of(forge.dispatch());
  const Outcome outcome = outcome_of("t", OutcomeKind::Completed);
  forge.tell(ResultArrived{result, {1, 50}},
             {TaskAnswered{outcome}, SendOutcome{1, outcome, "replies", ""}});
  forge.tell(PublishSettled{1, PublishEnd::Confirmed});
  forge.tell(LeadEnded{});
  forge.tell(LeadBegun{2, 1});
  forge.tell(ResultArrived{result, {2, 1}}, {AckDelivery{{2, 1}}});
  EXPECT_TRUE(forge.complains_of("acked before its submission")) << forge.report();
}

// It holds a delivery that the broker has given to the next leader.
TEST(InvariantChecker, ResultAckedWhileAnEarlierLeaderIsFrozen_DoesNotComplain) {
  Forge forge;
  Submission task = submission("t");
  forge.submit(task);
  const AttemptResult result = test::result_of(forge.dispatch());
  const Outcome outcome = outcome_of("t", OutcomeKind::Completed);
  forge.tell_of(1, LeadBegun{2, 1});
  task.redelivered = true;
  forge.tell_of(1, Submitted{.submission = task, .delivery = {1, 1}, .refusal = {}});
  forge.tell_of(1, ResultArrived{result, {1, 2}},
                {TaskAnswered{outcome}, SendOutcome{1, outcome, "replies", ""}});
  forge.tell_of(1, PublishSettled{1, PublishEnd::Confirmed},
                {AckDelivery{{1, 1}}, AckDelivery{{1, 2}}});
  EXPECT_EQ(forge.report(), "");
}

// What it reads once it goes on lay in its socket; the broker has put it back long ago.
TEST(InvariantChecker, FrozenLeaderReadsAnOldDelivery_ItsSuccessorMayAckTheResult) {
  Forge forge;
  const Submission task = submission("t");
  forge.tell(LeadBegun{1, 0});
  forge.tell_of(1, LeadBegun{2, 1});
  Submission again = task;
  again.redelivered = true;
  forge.tell_of(1, Submitted{.submission = again, .delivery = {1, 1}, .refusal = {}});
  forge.harness().submit(task);
  const AttemptResult result = test::result_of(forge.dispatch());
  forge.tell(Submitted{.submission = task, .delivery = {1, 50}, .refusal = {}});
  forge.tell(LeadEnded{});
  const Outcome outcome = outcome_of("t", OutcomeKind::Completed);
  forge.tell_of(1, ResultArrived{result, {1, 2}},
                {TaskAnswered{outcome}, SendOutcome{1, outcome, "replies", ""}});
  forge.tell_of(1, PublishSettled{1, PublishEnd::Confirmed},
                {AckDelivery{{1, 1}}, AckDelivery{{1, 2}}});
  EXPECT_EQ(forge.report(), "");
}

TEST(InvariantChecker, ResultAckedBeforeItsSubmission_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  const AttemptResult result = test::result_of(forge.dispatch());
  Outcome outcome = outcome_of("t", OutcomeKind::Completed);
  forge.tell(ResultArrived{result, {1, 50}},
             {TaskAnswered{outcome}, SendOutcome{1, outcome, "replies", ""}, AckDelivery{{1, 50}}});
  EXPECT_TRUE(forge.complains_of("acked before its submission")) << forge.report();
}

TEST(InvariantChecker, SubmissionThrownAway_Complains) {
  Forge forge;
  forge.submit(submission("t"));
  forge.tell(Tick{}, {RejectDelivery{{1, 1}}});
  EXPECT_TRUE(forge.complains_of("dead letters")) << forge.report();
}

TEST(InvariantChecker, AttemptThatNeverEnds_Complains) {
  ControllerConfig config;
  config.attempt_grace = seconds(3600);
  test::ControllerHarness harness(config);
  harness.expect_complaints();
  harness.lead_with({device("d").serves(variant("n-fp32"), milliseconds(50))});
  harness.submit(submission("t").deadline(seconds(60)));
  harness.advance(seconds(20));
  EXPECT_NE(harness.checker().report().find("no deadline of its own"), std::string::npos);
}

TEST(InvariantChecker, Unanswered_ListsTheTasksThatHaveNoOutcome) {
  Forge forge;
  forge.submit(submission("t"));
  EXPECT_NE(forge.report().find(""), std::string::npos);
  InvariantChecker checker;
  checker.stepped(kNow, Submitted{.submission = submission("u"), .delivery = {1, 1}, .refusal = {}},
                  {}, forge.harness().controller());
  ASSERT_EQ(checker.unanswered().size(), 1U);
  EXPECT_EQ(checker.unanswered()[0].id, "u");
}

}  // namespace
}  // namespace juggler
