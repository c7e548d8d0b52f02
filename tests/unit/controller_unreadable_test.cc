// What devices say of a payload that they cannot read, and of why an attempt ended.

#include <gtest/gtest.h>

#include <string>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board(const std::string& id) {
  return device(id).serves(variant("n-fp32", 76.1), milliseconds(50), energy_mj(100));
}

class UnreadableTest : public ::testing::Test {
 protected:
  // The device that was asked says so.
  DeliveryId cannot_read() {
    return harness_.result(
        result_of(harness_.last_dispatch(), AttemptStatus::BadPayload, "not a JPEG"));
  }
  ControllerHarness harness_;
};

TEST_F(UnreadableTest, TwoDevicesSaySo_FailsAndIsDeadLettered) {
  harness_.lead_with({board("a"), board("b"), board("c")});
  harness_.submit(submission("t"));
  const std::string first = harness_.last_dispatch().device;
  EXPECT_TRUE(harness_.acked(cannot_read()));
  EXPECT_TRUE(harness_.outcomes().empty());
  ASSERT_EQ(harness_.dispatches().size(), 2U);
  EXPECT_NE(harness_.last_dispatch().device, first);
  EXPECT_TRUE(harness_.acked(cannot_read()));
  EXPECT_EQ(harness_.dispatches().size(), 2U) << "no third is asked";
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Failed);
  EXPECT_NE(harness_.last_outcome().reason.find("not a JPEG"), std::string::npos);
  EXPECT_EQ(harness_.all<SendDead>().size(), 1U);
}

TEST_F(UnreadableTest, TheSecondCanReadIt_Completes) {
  harness_.lead_with({board("a"), board("b")});
  harness_.submit(submission("t"));
  cannot_read();
  harness_.result(result_of(harness_.last_dispatch()));
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Completed);
  EXPECT_EQ(harness_.controller().stats().put_aside, 0U);
}

TEST_F(UnreadableTest, WhoSaysSoAlone_IsNotPutAside) {
  harness_.lead_with({board("a"), board("b")});
  for (int i = 0; i < 20; ++i) {
    harness_.submit(submission("t" + std::to_string(i)));
    const bool to_a = harness_.last_dispatch().device == "a";
    if (to_a) {
      cannot_read();
    }
    harness_.result(result_of(harness_.last_dispatch()));
    ASSERT_EQ(harness_.last_outcome().kind, OutcomeKind::Completed);
    harness_.advance(milliseconds(100));
  }
  EXPECT_EQ(harness_.liveness("a"), Liveness::Live);
}

TEST_F(UnreadableTest, NoOtherDeviceCouldTry_FailsAtOnce) {
  harness_.lead_with({board("a")});
  harness_.submit(submission("t"));
  cannot_read();
  EXPECT_EQ(harness_.dispatches().size(), 1U);
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Failed);
  EXPECT_EQ(harness_.last_outcome().reason, "the payload cannot be read: not a JPEG");
}

TEST_F(UnreadableTest, TheOtherIsSuspect_ItsWordIsWaitedFor) {
  harness_.lead_with({board("a"), board("b")});
  harness_.silence("b");
  harness_.advance(milliseconds(3'500));
  ASSERT_EQ(harness_.liveness("b"), Liveness::Suspect);
  harness_.submit(submission("t").deadline(seconds(30)));
  ASSERT_EQ(harness_.last_dispatch().device, "a");
  cannot_read();
  EXPECT_TRUE(harness_.all<SendOutcome>().empty());
  harness_.heartbeat("b");
  ASSERT_EQ(harness_.last_dispatch().device, "b");
  harness_.result(result_of(harness_.last_dispatch()));
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Completed);
}

TEST_F(UnreadableTest, TheSecondFailsOtherwise_TheFirstsWordStands) {
  harness_.lead_with({board("a"), board("b")});
  harness_.submit(submission("t"));
  cannot_read();
  harness_.result(result_of(harness_.last_dispatch(), AttemptStatus::Error, "crash"));
  ASSERT_EQ(harness_.dispatches().size(), 3U) << "better the same device again than none";
  cannot_read();
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Failed);
}

TEST_F(UnreadableTest, TaskForOneDeviceAlone_FailsAtItsWord) {
  harness_.lead_with({board("a"), board("b")});
  Submission task = submission("t");
  task.requirements.device = "b";
  harness_.submit(task);
  cannot_read();
  EXPECT_EQ(harness_.last_outcome().kind, OutcomeKind::Failed);
}

TEST(AttemptEnd, LongReasonOfADevice_IsCutAtACharacter) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  std::string reason;
  for (int i = 0; i < 4'000; ++i) {
    reason += "\xc3\xa4";
  }
  while (harness.outcomes().empty()) {
    harness.result(result_of(harness.last_dispatch(), AttemptStatus::Error, reason));
    harness.advance(seconds(1));
  }
  const Outcome outcome = harness.last_outcome();
  ASSERT_FALSE(outcome.attempts.empty());
  for (const AttemptRecord& attempt : outcome.attempts) {
    EXPECT_LE(attempt.end.size(), kAttemptEndMax);
    EXPECT_EQ(attempt.end.substr(0, 2), "\xc3\xa4");
    EXPECT_EQ(attempt.end.substr(attempt.end.size() - 5), "\xc3\xa4\xe2\x80\xa6");
  }
  EXPECT_LT(outcome.reason.size(), 2 * kAttemptEndMax);
}

TEST(AttemptEnd, LongListOfWhereItFailedBefore_IsCut) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  AttemptResult result = result_of(harness.last_dispatch());
  result.fell_back = std::string(16'000, 'x');
  harness.result(result);
  EXPECT_EQ(harness.last_outcome().attempts.at(0).end.size(), kAttemptEndMax);
}

}  // namespace
}  // namespace juggler
