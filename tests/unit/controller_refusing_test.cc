// What cannot be a task, or is too much: answered where somebody can be told.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::submission;
using test::variant;

DeviceFacts board() { return device("d").serves(variant("n-fp32"), milliseconds(50)); }

Submitted malformed(const Submission& submission, const std::string& why) {
  return {.submission = submission, .delivery = {}, .refusal = why};
}

TEST(Controller, MalformedWithAReplyQueue_IsRejectedWithTheReasonAndDeadLettered) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const DeliveryId delivery = harness.submit(malformed(submission("t"), "priority is 12"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_EQ(harness.last_outcome().reason, "priority is 12");
  EXPECT_FALSE(harness.rejected(delivery));
  harness.confirm_all();
  EXPECT_TRUE(harness.rejected(delivery));
  EXPECT_FALSE(harness.acked(delivery));
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_EQ(harness.all<DropPayload>().size(), 1U);
}

TEST(Controller, MalformedWithoutAReplyQueue_IsDeadLetteredAtOnce) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const DeliveryId delivery =
      harness.submit(malformed(submission("t").reply_to(""), "priority is 12"));
  EXPECT_TRUE(harness.rejected(delivery));
  EXPECT_TRUE(harness.outcomes().empty());
  EXPECT_EQ(harness.all<DropPayload>().size(), 1U);
  EXPECT_EQ(harness.controller().tasks().size(), 0U);
}

// Its dead letter is enough: of these anybody may send so many that others' outcomes went.
TEST(Controller, MalformedWhoseReplyQueueIsMissingOrFull_NeverGoesToUnrouted) {
  for (const PublishEnd end : {PublishEnd::Returned, PublishEnd::Refused}) {
    ControllerHarness harness;
    harness.lead_with({board()});
    const DeliveryId delivery = harness.submit(malformed(submission("t"), "junk"));
    for (int i = 0; i < 100 && !harness.rejected(delivery); ++i) {
      harness.settle(harness.all<SendOutcome>().back().id, end);
      harness.advance(milliseconds(500));
    }
    EXPECT_TRUE(harness.rejected(delivery));
    for (const SendOutcome& sent : harness.all<SendOutcome>()) {
      EXPECT_EQ(sent.reply_to, "replies");
    }
  }
}

TEST(Controller, MalformedUnderTheIdOfALiveTask_IsToldSoAndThatTaskLeftAlone) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  const DeliveryId delivery = harness.submit(malformed(submission("t").correlation("c"), "junk"));
  ASSERT_EQ(harness.all<SendOutcome>().size(), 1U);
  const SendOutcome refusal = harness.all<SendOutcome>().back();
  EXPECT_EQ(refusal.outcome->kind, OutcomeKind::Rejected);
  EXPECT_EQ(refusal.outcome->reason, "junk");
  EXPECT_EQ(refusal.outcome->key.id.rfind("t-malformed-", 0), 0U);
  EXPECT_EQ(refusal.correlation_id, "c");
  harness.confirm_all();
  EXPECT_TRUE(harness.rejected(delivery));
  harness.result(test::result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness.last_outcome().key.id, "t");
}

TEST(Controller, CorrectedWhileItsMalformedFormIsAnswered_IsATask) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const DeliveryId torn = harness.submit(malformed(submission("t"), "junk"));
  const DeliveryId corrected = harness.submit(submission("t"));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  harness.confirm_all();
  EXPECT_TRUE(harness.rejected(torn));
  harness.result(test::result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Completed);
  harness.confirm_all();
  EXPECT_TRUE(harness.acked(corrected));
}

TEST(Controller, MalformedWithoutIds_EachHasAnOutcomeOfItsOwn) {
  ControllerHarness harness;
  harness.lead_with({board()});
  Submitted event = malformed(submission("anonymous-1"), "junk");
  event.id_given = false;
  harness.submit(event);
  harness.submit(event);
  harness.confirm_all();
  harness.submit(event);
  std::set<std::string> ids;
  for (const Outcome& outcome : harness.outcomes()) {
    ids.insert(outcome.key.id);
  }
  EXPECT_EQ(ids.size(), 3U);
}

TEST(Controller, CorrectedAfterARefusal_RunsUnderTheSameId) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(malformed(submission("t"), "junk"));
  harness.confirm_all();
  harness.submit(submission("t"));
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, PayloadOver8MiB_IsRejected) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("fits").payload(PayloadKind::Jpeg, kPayloadMax));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.submit(submission("large").payload(PayloadKind::Jpeg, kPayloadMax + Bytes{1}));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("8 MiB"), std::string::npos);
}

TEST(Controller, DeadlineOverTheBound_IsRejected) {
  ControllerConfig config;
  config.deadline_max = seconds(60);
  ControllerHarness harness(config);
  harness.lead_with({board()});
  harness.submit(submission("t").deadline(seconds(60) + Micros{1}));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("60000 ms"), std::string::npos);
  harness.submit(submission("u").deadline(seconds(60)));
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Controller, TooManyTasks_AreRejectedAsOverload) {
  ControllerConfig config;
  config.tasks_max = 3;
  ControllerHarness harness(config);
  harness.lead_with({board()});
  for (const char* id : {"a", "b", "c"}) {
    harness.submit(submission(id));
  }
  EXPECT_TRUE(harness.outcomes().empty());
  harness.submit(submission("d"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("overload"), std::string::npos);
}

TEST(Controller, TooManyBytes_AreRejectedAsOverload) {
  ControllerConfig config;
  config.tasks_bytes_max = {2500};
  ControllerHarness harness(config);
  harness.lead_with({board()});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  EXPECT_TRUE(harness.outcomes().empty());
  harness.submit(submission("c"));
  EXPECT_NE(harness.last_outcome().reason.find("overload"), std::string::npos);
}

ControllerConfig room_for_four() {
  ControllerConfig config;
  config.tasks_max = 4;
  return config;
}

ControllerConfig bytes_for_four() {
  ControllerConfig config;
  config.tasks_bytes_max = {4000};
  return config;
}

// Four of one submitter; the board takes two at once, so that two wait.
void flood(ControllerHarness& harness) {
  for (const char* id : {"f1", "f2", "f3", "f4"}) {
    harness.submit(submission(id).submitter("user:flood").deadline(seconds(30)));
  }
}

TEST(Controller, WhoFloods_MakesWayForOthersUntilTheyHaveAsMuch) {
  ControllerHarness harness(room_for_four());
  harness.lead_with({board()});
  flood(harness);
  ASSERT_TRUE(harness.outcomes().empty());
  harness.submit(submission("a1").submitter("user:calm").deadline(seconds(30)));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:flood", "f4"}));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("made way"), std::string::npos);
  harness.submit(submission("a2").submitter("user:calm").deadline(seconds(30)));
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:flood", "f3"}));
  // Two each now: the next is refused, whoever's it is.
  harness.submit(submission("a3").submitter("user:calm").deadline(seconds(30)));
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a3"}));
  harness.submit(submission("f5").submitter("user:flood").deadline(seconds(30)));
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:flood", "f5"}));
  EXPECT_EQ(harness.controller().tasks().held(), 4U);
}

TEST(Controller, WhatComesAgain_DoesNotMakeWay) {
  ControllerConfig config;
  config.tasks_max = 3;
  ControllerHarness harness(config);
  harness.lead_with({board()});
  for (const char* id : {"f1", "f2", "f3"}) {
    harness.submit(submission(id).submitter("user:flood").deadline(seconds(30)).redelivered());
  }
  harness.submit(submission("a").submitter("user:calm").deadline(seconds(30)));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a"}));
}

TEST(Controller, LargePicturesOfOne_MakeWayForASmallOneOfAnother) {
  ControllerHarness harness(bytes_for_four());
  harness.lead_with({board()});
  flood(harness);
  harness.submit(submission("a").submitter("user:calm").deadline(seconds(30)));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:flood", "f4"}));
}

TEST(Controller, OneThatNobodyCanServe_NobodyMakesWayFor) {
  ControllerHarness harness(room_for_four());
  harness.lead_with({board()});
  flood(harness);
  harness.submit(submission("a").submitter("user:calm").min_accuracy(99));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a"}));
}

TEST(Controller, PictureForWhichTooLittleCanMakeWay_CostsNobodyAnything) {
  ControllerHarness harness(bytes_for_four());
  harness.lead_with({board()});
  flood(harness);
  // Of the four one or two wait; it would need more than half of all bytes.
  harness.submit(submission("a")
                     .submitter("user:calm")
                     .payload(PayloadKind::Jpeg, {2500})
                     .deadline(seconds(30)));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a"}));
}

// As many tasks of one submitter as the board can serve within their deadline, and one that it
// cannot.
std::vector<std::string> flood_of_time(ControllerHarness& harness, Micros deadline) {
  harness.advance(ControllerConfig{}.warm_up);  // before it nothing is infeasible
  std::vector<std::string> taken;
  while (harness.outcomes().empty()) {
    taken.push_back("f" + std::to_string(taken.size()));
    harness.submit(submission(taken.back()).submitter("user:flood").deadline(deadline));
  }
  EXPECT_EQ(harness.last_outcome().key.id, taken.back());
  EXPECT_GT(taken.size(), 8U);
  taken.pop_back();
  return taken;
}

TEST(Controller, WhoFloodsAProcessor_MakesWayBeforeItForOthers) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const std::vector<std::string> taken = flood_of_time(harness, seconds(1));
  harness.submit(submission("a1").submitter("user:calm").deadline(seconds(1)));
  ASSERT_EQ(harness.outcomes().size(), 2U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:flood", taken.back()}));  // its least urgent
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("made way"), std::string::npos);
  EXPECT_EQ(harness.controller().explain("a1")->decision, "place");
}

TEST(Controller, WhoFloodsAProcessor_MakesWayUntilTheOtherHasAsMuch) {
  ControllerHarness harness;
  harness.lead_with({board()});
  flood_of_time(harness, seconds(1));
  std::map<std::string, int> rejected;
  for (int task = 0; task < 40; ++task) {
    harness.submit(
        submission("a" + std::to_string(task)).submitter("user:calm").deadline(seconds(1)));
  }
  for (const Outcome& outcome : harness.outcomes()) {
    rejected[outcome.key.submitter] += 1;
  }
  std::map<std::string, int> held;
  for (const auto& [number, record] : harness.controller().tasks().all()) {
    held[record.submission.key.submitter] += record.place.has_value() ? 1 : 0;
  }
  EXPECT_GT(held["user:calm"], 2);
  EXPECT_LE(std::abs(held["user:calm"] - held["user:flood"]), 1);
  EXPECT_EQ(rejected["user:calm"], 40 - held["user:calm"]);
}

TEST(Controller, OneThatWouldBeLateEvenSo_NobodyMakesWayFor) {
  ControllerHarness harness;
  harness.lead_with({board()});
  const std::vector<std::string> taken = flood_of_time(harness, seconds(1));
  // What the board has begun takes longer than that.
  harness.submit(submission("a").submitter("user:calm").deadline(milliseconds(60)));
  ASSERT_EQ(harness.outcomes().size(), 2U);
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a"}));
  std::size_t held = 0;
  for (const auto& [number, record] : harness.controller().tasks().all()) {
    held += record.phase == TaskPhase::Answering ? 0 : 1;
  }
  EXPECT_EQ(held, taken.size());
}

TEST(Controller, WhoNamesNoUser_CountAsOneHoweverManyReplyQueues) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.advance(ControllerConfig{}.warm_up);
  for (const char* id : {"a1", "a2", "a3", "a4", "a5"}) {
    harness.submit(submission(id).submitter("user:calm").deadline(seconds(1)));
  }
  for (int task = 0; task < 60; ++task) {
    const std::string id = "f" + std::to_string(task);
    harness.submit(submission(id).submitter("reply_to:" + id).deadline(seconds(1)));
  }
  ASSERT_FALSE(harness.outcomes().empty());
  harness.submit(submission("a6").submitter("user:calm").deadline(seconds(1)));
  for (const Outcome& outcome : harness.outcomes()) {
    EXPECT_NE(outcome.key.submitter, "user:calm") << outcome.key.id;
  }
}

TEST(Controller, WhoIsMoreUrgent_DoesNotMakeWay) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.advance(ControllerConfig{}.warm_up);
  for (int task = 0; harness.outcomes().empty(); ++task) {
    harness.submit(submission("f" + std::to_string(task))
                       .submitter("user:flood")
                       .priority(5)
                       .deadline(seconds(1)));
  }
  harness.submit(submission("a").submitter("user:calm").deadline(seconds(1)));
  EXPECT_EQ(harness.last_outcome().key, (TaskKey{"user:calm", "a"}));
}

TEST(Controller, FullOfWhatIsHopelessByNow_ThatGoesFirst) {
  ControllerHarness harness(room_for_four());
  harness.lead_with({board()});
  for (const char* id : {"f1", "f2", "f3"}) {
    harness.submit(submission(id).deadline(seconds(30)));
  }
  // Too late for it while the lane is taken, though its deadline has not passed.
  harness.submit(submission("late").deadline(milliseconds(300)));
  ASSERT_TRUE(harness.outcomes().empty());
  harness.advance(milliseconds(270));
  harness.submit(submission("f5").deadline(seconds(30)));
  ASSERT_EQ(harness.outcomes().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key.id, "late");
}

TEST(Controller, Overload_HasOneReasonWhateverIsBeingServed) {
  ControllerConfig config;
  config.tasks_max = 3;
  config.tasks_bytes_max = {2500};
  ControllerHarness harness(config);
  harness.lead_with({board()});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  harness.submit(submission("c"));  // too many bytes
  const std::string reason = harness.last_outcome().reason;
  harness.result(test::result_of(harness.last_dispatch()));
  harness.confirm_all();
  harness.submit(submission("d"));
  harness.submit(submission("e"));
  harness.submit(submission("f"));
  EXPECT_EQ(harness.last_outcome().reason, reason);
}

TEST(Controller, Refused_ItsPayloadIsDroppedBeforeItsOutcomeIsConfirmed) {
  ControllerConfig config;
  config.tasks_bytes_max = {2500};
  ControllerHarness harness(config);
  harness.lead_with({board()});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  for (int i = 0; i < 100; ++i) {
    harness.submit(submission("more-" + std::to_string(i)));
  }
  EXPECT_EQ(harness.all<DropPayload>().size(), 100U);
  EXPECT_EQ(harness.controller().tasks().payload_bytes(), Bytes{2000});
  harness.confirm_all();
  EXPECT_EQ(harness.all<DropPayload>().size(), 100U);
  EXPECT_EQ(harness.controller().tasks().payload_bytes(), Bytes{2000});
}

TEST(Controller, OverloadIsOver_TasksAreTakenAgain) {
  ControllerConfig config;
  config.tasks_max = 1;
  ControllerHarness harness(config);
  harness.lead_with({board()});
  harness.submit(submission("a"));
  const Dispatch first = harness.last_dispatch();
  harness.submit(submission("b"));
  harness.result(test::result_of(first));
  harness.confirm_all();
  harness.submit(submission("c"));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "c");
}

TEST(Controller, MalformedUnderTheIdOfAnAnsweredTask_DoesNotContradictItsAnswer) {
  ControllerHarness harness;
  harness.lead_with({board()});
  harness.submit(submission("t"));
  harness.result(test::result_of(harness.last_dispatch()));
  harness.confirm_all();
  const DeliveryId delivery = harness.submit(malformed(submission("t"), "junk"));
  harness.confirm_all();
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().key.id, "t");
  EXPECT_TRUE(harness.rejected(delivery));
}

}  // namespace
}  // namespace juggler
