// A device that fails again and again is put aside, tried with one batch, and let back. Poison is
// not its fault.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::result_of;
using test::submission;
using test::variant;

// "a" is the faster one, so that fastest-finish asks it first.
class BreakerTest : public ::testing::Test {
 protected:
  BreakerTest() {
    harness_.lead_with({device("a").serves(variant("n-fp32"), milliseconds(10)),
                        device("b").serves(variant("n-fp32"), milliseconds(50))});
  }

  // Nothing but the breaker is to change where a task goes.
  static ControllerConfig rules() {
    ControllerConfig config = test::without_hedges();
    config.learns = false;
    return config;
  }
  Liveness liveness(const std::string& id) const { return harness_.liveness(id); }
  // Answers the last dispatch.
  void answer(AttemptStatus status) {
    AttemptResult result = result_of(harness_.last_dispatch());
    result.status = status;
    result.reason = status == AttemptStatus::Ok ? "" : "the engine has failed";
    harness_.result(result);
  }
  // A task that fails on "a" and is completed by "b".
  void fail_on_a() {
    ASSERT_EQ(next_goes_to(), "a");
    answer(AttemptStatus::Error);
    ASSERT_EQ(harness_.last_dispatch().device, "b");
    answer(AttemptStatus::Ok);
    harness_.advance(milliseconds(200));
  }
  std::string next_goes_to() {
    harness_.clear();
    harness_.submit(submission("t" + std::to_string(++tasks_)).deadline(seconds(60)));
    harness_.advance(milliseconds(5));  // a batch may wait for company
    return harness_.dispatches().empty() ? "nobody" : harness_.last_dispatch().device;
  }

  ControllerHarness harness_{rules(), "fastest-finish"};
  int tasks_ = 0;
};

TEST_F(BreakerTest, ThreeFailuresInARow_PutItAside) {
  fail_on_a();
  fail_on_a();
  EXPECT_EQ(liveness("a"), Liveness::Live);
  fail_on_a();
  EXPECT_EQ(liveness("a"), Liveness::Aside);
  EXPECT_EQ(harness_.controller().stats().put_aside, 1U);
  harness_.advance(seconds(1));  // its heartbeats do not let it back
  EXPECT_EQ(liveness("a"), Liveness::Aside);
  EXPECT_EQ(next_goes_to(), "b");
}

TEST_F(BreakerTest, ASuccessBetweenThem_LeavesItInPlace) {
  for (int i = 0; i < 5; ++i) {
    fail_on_a();
    fail_on_a();
    EXPECT_EQ(next_goes_to(), "a");
    answer(AttemptStatus::Ok);
  }
  EXPECT_EQ(liveness("a"), Liveness::Live);
}

TEST_F(BreakerTest, AfterThePause_OneTaskProbesItAndASuccessLetsItBack) {
  for (int i = 0; i < 3; ++i) {
    fail_on_a();
  }
  harness_.advance(milliseconds(2500));
  EXPECT_EQ(next_goes_to(), "a");
  const Dispatch probe = harness_.last_dispatch();
  harness_.advance(milliseconds(1));
  EXPECT_EQ(next_goes_to(), "b") << "until the probe is back";
  answer(AttemptStatus::Ok);
  harness_.result(result_of(probe));
  EXPECT_EQ(liveness("a"), Liveness::Live);
  EXPECT_EQ(next_goes_to(), "a");
}

TEST_F(BreakerTest, ProbeThatFails_DoublesThePause) {
  for (int i = 0; i < 3; ++i) {
    fail_on_a();
  }
  harness_.advance(milliseconds(2500));
  fail_on_a();
  EXPECT_EQ(liveness("a"), Liveness::Aside);
  harness_.advance(milliseconds(3000));
  EXPECT_EQ(liveness("a"), Liveness::Aside) << "now four seconds";
  harness_.advance(milliseconds(1500));
  EXPECT_EQ(liveness("a"), Liveness::Live);
}

TEST_F(BreakerTest, Poison_IsBlamedOnNobody) {
  for (int i = 0; i < 10; ++i) {
    (void)next_goes_to();
    for (int attempt = 0; attempt < ControllerConfig{}.attempts_max; ++attempt) {
      answer(AttemptStatus::Error);
      harness_.advance(milliseconds(5));
    }
    ASSERT_EQ(harness_.last_outcome().kind, OutcomeKind::Failed);
    harness_.advance(milliseconds(200));
  }
  EXPECT_EQ(liveness("a"), Liveness::Live);
  EXPECT_EQ(liveness("b"), Liveness::Live);
  EXPECT_EQ(harness_.controller().stats().put_aside, 0U);
}

TEST_F(BreakerTest, TheLastLiveDevice_IsNeverPutAside) {
  harness_.silence("b");
  harness_.advance(seconds(6));
  ASSERT_EQ(liveness("b"), Liveness::Lost);
  for (int i = 0; i < 6; ++i) {
    harness_.submit(submission("t" + std::to_string(i)).deadline(milliseconds(300)));
    answer(AttemptStatus::Error);
    harness_.advance(milliseconds(400));
  }
  EXPECT_EQ(liveness("a"), Liveness::Live);
}

// It must not come back Live unheard: nothing may go where nobody answers.
TEST_F(BreakerTest, DeviceThatFellSilentAside_IsSuspectAfterThePause) {
  for (int i = 0; i < 3; ++i) {
    fail_on_a();
  }
  ASSERT_EQ(liveness("a"), Liveness::Aside);
  harness_.silence("a");
  harness_.advance(milliseconds(3700));
  EXPECT_EQ(liveness("a"), Liveness::Suspect);
}

TEST_F(BreakerTest, ADeviceThatCrashesAgainAndAgain_ComesBackAside) {
  for (int i = 0; i < 3; ++i) {
    harness_.silence("a");
    harness_.advance(seconds(6));
    ASSERT_EQ(liveness("a"), Liveness::Lost);
    harness_.hello(device("a").serves(variant("n-fp32"), milliseconds(10)).incarnation(2 + i));
  }
  EXPECT_EQ(liveness("a"), Liveness::Aside);
}

}  // namespace
}  // namespace juggler
