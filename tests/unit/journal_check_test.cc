// The journals of two controllers under the simulator's checker: what they did rightly passes, and
// a broken promise is found across them.

#include "sim/journal_check.h"

#include <gtest/gtest.h>

#include "core/policies/policy.h"
#include "runtime/journal_writer.h"
#include "support/builders.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

using test::device;
using test::result_of;
using test::submission;
using test::TempFolder;
using test::variant;

// A controller that writes a journal of its own.
class Recorded {
 public:
  explicit Recorded(const std::filesystem::path& folder)
      : controller_(ControllerConfig{}, std::move(*make_policy("juggler"))) {
    wire::JournalHead head;
    head.policy = "juggler";
    head.config = controller_.config();
    writer_ = std::move(*JournalWriter::open({.folder = folder}, head));
  }

  void step(Time now, const ControllerEvent& event) {
    std::vector<ControllerAction> actions;
    controller_.step(now, event, actions);
    writer_->after(now, event, actions);
    for (const ControllerAction& action : actions) {
      if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
        dispatched_ = *dispatch;
      } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
        outcome_ = *outcome;
      }
    }
  }
  void lead(Time now, std::int64_t epoch, bool redelivered = false) {
    step(now, LeadBegun{epoch, epoch - 1});
    step(now, HelloArrived{device("a").serves(variant("n-fp32"), milliseconds(50))});
    Submission task = submission("t");
    task.redelivered = redelivered;
    step(now,
         Submitted{
             .submission = std::move(task), .delivery = {1, 1}, .refusal = {}, .id_given = true});
  }
  // The task's whole way, up to the confirm of its outcome.
  void answer(Time now) {
    step(now, PublishSettled{dispatched_->id, PublishEnd::Confirmed});
    step(now, ResultArrived{result_of(dispatched_->dispatch), {1, 2}});
    step(now, PublishSettled{outcome_->id, PublishEnd::Confirmed});
  }

 private:
  Controller controller_;
  std::unique_ptr<JournalWriter> writer_;
  std::optional<SendDispatch> dispatched_;
  std::optional<SendOutcome> outcome_;
};

sim::JournalVerdict verdict_of(const TempFolder& folder) {
  auto verdict = sim::check_journals({folder.path() / "first", folder.path() / "second"});
  EXPECT_TRUE(verdict.has_value()) << verdict.error().message;
  return *verdict;
}

TEST(JournalCheck, ATaskThatOneAnsweredAndTheOtherNeverSaw_IsWell) {
  const TempFolder folder;
  {
    Recorded first(folder.path() / "first");
    Recorded second(folder.path() / "second");
    first.lead(Time{1'000}, 1);
    first.answer(Time{60'000});
    first.step(Time{70'000}, LeadEnded{});
    second.step(Time{80'000}, LeadBegun{2, 1});
  }
  const sim::JournalVerdict verdict = verdict_of(folder);
  EXPECT_TRUE(verdict.well()) << verdict.complaints.front();
  EXPECT_EQ(verdict.runs, 2U);
  EXPECT_EQ(verdict.steps, 8U);
}

// The second runs what the first had answered.
sim::JournalVerdict verdict_of_two_that_run_it(bool redelivered) {
  const TempFolder folder;
  {
    Recorded first(folder.path() / "first");
    Recorded second(folder.path() / "second");
    first.lead(Time{1'000}, 1);
    first.answer(Time{60'000});
    first.step(Time{2'000'000}, LeadEnded{});
    second.lead(Time{5'000'000}, 2, redelivered);
    second.step(Time{7'000'000}, Tick{});
  }
  return verdict_of(folder);
}

// Its client sends it once more, and nobody can tell the second what the first had answered.
TEST(JournalCheck, ATaskThatIsSentAgain_MayRunAgainUnderAnother) {
  const sim::JournalVerdict verdict = verdict_of_two_that_run_it(/*redelivered=*/false);
  EXPECT_TRUE(verdict.well()) << verdict.complaints.front();
}

// The broker never delivers what was acked; a broker that did, or an ack that was not sent, shows.
TEST(JournalCheck, ATaskThatBothRun_IsFoundWhereTheFirstHadAnsweredIt) {
  const sim::JournalVerdict verdict = verdict_of_two_that_run_it(/*redelivered=*/true);
  ASSERT_EQ(verdict.complaints.size(), 1U);
  EXPECT_NE(verdict.complaints[0].find("it would run again"), std::string::npos);
}

TEST(JournalCheck, WhatAFencedLeaderDoes_ReachesNobody) {
  const TempFolder folder;
  {
    Recorded first(folder.path() / "first");
    Recorded second(folder.path() / "second");
    second.lead(Time{1'000}, 2);
    second.answer(Time{60'000});
    // It was frozen and has not yet heard that its connection is gone.
    first.step(Time{500}, LeadBegun{1, 0});
    first.step(Time{500}, HelloArrived{device("a").serves(variant("n-fp32"), milliseconds(50))});
    first.step(
        Time{70'000},
        Submitted{
            .submission = submission("t"), .delivery = {1, 1}, .refusal = {}, .id_given = true});
    first.step(Time{80'000}, LeadEnded{});
  }
  EXPECT_TRUE(verdict_of(folder).well());
}

TEST(JournalCheck, WhatAKilledControllerMayNotHaveWritten_IsUnsure) {
  const TempFolder folder;
  {
    Recorded first(folder.path() / "first");
    Recorded second(folder.path() / "second");
    first.lead(Time{1'000}, 1);
    first.answer(Time{60'000});  // and it ends here
    second.lead(Time{5'000'000}, 2, /*redelivered=*/true);
    second.step(Time{7'000'000}, Tick{});
  }
  const sim::JournalVerdict verdict = verdict_of(folder);
  EXPECT_TRUE(verdict.well());
  EXPECT_EQ(verdict.unsure.size(), 1U);
}

}  // namespace
}  // namespace juggler
