// What is kept of why an attempt ended.

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
