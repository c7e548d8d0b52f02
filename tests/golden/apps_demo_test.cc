// The demonstration's sets, for a fleet that is described here, and how their answers are judged.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/demo_check.h"
#include "apps/demo_sets.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::size_t kPictures = 9;

json place(const std::string& device, std::int64_t p95, std::int64_t energy) {
  return {{"device", device},
          {"processor", "gpu0"},
          {"latency_us_p95", p95},
          {"batch_max", 8},
          {"batch_max_latency_us_p95", 4 * p95},
          {"energy_uj", energy},
          {"energy_uj_high", 2 * energy}};
}

// In batches of eight, `cheap` needs half of 6 ms a task.
json fleet() {
  return {{"auto_model", "imagenet"},
          {"models",
           {{{"id", "net-fp16"},
             {"model", "imagenet"},
             {"weights", "pretrained"},
             {"accuracy_percent", 75.1},
             {"placements", {place("cheap", 6'000, 20'000), place("dear", 12'000, 90'000)}}}}}};
}

const DemoSet* set_about(const std::vector<DemoSet>& sets, const std::string& words) {
  for (const DemoSet& set : sets) {
    if (set.title.rfind(words, 0) == 0) {
      return &set;
    }
  }
  return nullptr;
}

ClientAnswer by(const std::string& device) {
  ClientAnswer answer;
  answer.end = ClientEnd::Answered;
  answer.outcome.kind = OutcomeKind::Completed;
  answer.outcome.device = device;
  return answer;
}

ClientAnswer ended(OutcomeKind kind) {
  ClientAnswer answer;
  answer.end = ClientEnd::Answered;
  answer.outcome.kind = kind;
  return answer;
}

TEST(DemoSets, Deadline_IsTooTightForTheUsualProcessorInFullBatches) {
  const std::vector<DemoSet> sets = demo_sets(fleet(), "", kPictures);
  const DemoSet* deadline = set_about(sets, "A tight deadline");
  ASSERT_NE(deadline, nullptr);
  const Micros all = Micros{3'000} * static_cast<std::int64_t>(kPictures) * deadline->repeat;
  EXPECT_LT(*deadline->requirements.deadline, all * 3 / 4);
  EXPECT_GT(*deadline->requirements.deadline, all / 3);
  EXPECT_EQ(deadline->beyond, std::size_t{0});
}

TEST(DemoSets, Energy_IsHeldAgainstTheDeadlineAlone) {
  const std::vector<DemoSet> sets = demo_sets(fleet(), "", kPictures);
  const DemoSet* deadline = set_about(sets, "A tight deadline");
  const DemoSet* energy = set_about(sets, "A tight energy limit");
  ASSERT_NE(energy, nullptr);
  EXPECT_EQ(energy->unlike, static_cast<std::size_t>(deadline - sets.data()));
  EXPECT_EQ(energy->beyond, std::nullopt);
  EXPECT_EQ(energy->requirements.deadline, deadline->requirements.deadline);
}

TEST(DemoSets, FleetOfOneProcessor_PromisesNoOtherChoice) {
  json one = fleet();
  one["models"][0]["placements"] = json::array({place("cheap", 6'000, 20'000)});
  for (const DemoSet& set : demo_sets(one, "", kPictures)) {
    EXPECT_FALSE(set.beyond.has_value() || set.unlike.has_value()) << set.title;
  }
}

TEST(DemoSets, TwoEqualBoards_ShareADeadlineAndNoEnergyLimitTellsThemApart) {
  json two = fleet();
  two["models"][0]["placements"] =
      json::array({place("one", 6'000, 20'000), place("two", 6'000, 20'000)});
  const std::vector<DemoSet> sets = demo_sets(two, "", kPictures);
  EXPECT_TRUE(set_about(sets, "A tight deadline")->beyond.has_value());
  EXPECT_FALSE(set_about(sets, "A tight energy limit")->unlike.has_value());
}

TEST(DemoSets, BoardsThatAreTooSlow_NeedNotTakePart) {
  json slow = fleet();
  slow["models"][0]["placements"] =
      json::array({place("cheap", 6'000, 20'000), place("slow", 200'000, 90'000)});
  for (const DemoSet& set : demo_sets(slow, "", kPictures)) {
    EXPECT_FALSE(set.beyond.has_value() || set.unlike.has_value()) << set.title;
  }
}

// `dear` of 100 tasks are served by the board that needs 180 mJ, the others by one that needs 40.
std::vector<ClientAnswer> burst(int dear) {
  std::vector<ClientAnswer> answers;
  for (int i = 0; i < 100; ++i) {
    answers.push_back(by(i < dear ? "dear" : "cheap"));
    answers.back().outcome.energy =
        EnergyFigure{{1}, {1}, {i < dear ? 180'000 : 40'000}, {}, PowerScope::BoardInput};
  }
  return answers;
}

TEST(DemoCheck, DeadlineThatBringsInHardlyAnybody_IsAProblem) {
  DemoSet set;
  set.expect = DemoSet::Expect::InTime;
  set.beyond = 0;
  EXPECT_NE(judge(set, {burst(0), burst(0)}).problem, "");
  EXPECT_NE(judge(set, {burst(0), burst(7)}).problem, "");
  EXPECT_EQ(judge(set, {burst(0), burst(27)}).problem, "");
}

TEST(DemoCheck, BurstThatCameSlowly_IsAHindranceAndNoProblem) {
  DemoSet set;
  set.expect = DemoSet::Expect::InTime;
  set.beyond = 0;
  set.requirements.deadline = milliseconds(260);
  set.usual_takes = milliseconds(500);
  std::vector<ClientAnswer> quick = burst(0);
  std::vector<ClientAnswer> slow = burst(0);
  for (std::size_t i = 0; i < slow.size(); ++i) {
    quick[i].sent = Time{} + seconds(1) + milliseconds(1) * static_cast<std::int64_t>(i);
    slow[i].sent = Time{} + seconds(1) + milliseconds(3) * static_cast<std::int64_t>(i);
  }
  EXPECT_NE(judge(set, {burst(0), quick}).problem, "");
  EXPECT_EQ(judge(set, {burst(0), slow}).problem, "");
  EXPECT_NE(judge(set, {burst(0), slow}).hindrance, "");
  EXPECT_EQ(judge(set, {burst(0), burst(27)}).hindrance, "");
}

TEST(DemoCheck, EnergyLimitThatChangesNothing_IsAProblem) {
  DemoSet set;
  set.expect = DemoSet::Expect::InTime;
  set.unlike = 0;
  set.requirements.max_energy = Microjoules{94'000};
  EXPECT_EQ(judge(set, {burst(27), burst(0)}).problem, "");
  EXPECT_NE(judge(set, {burst(27), burst(27)}).problem, "");
  set.requirements.max_energy = Microjoules{9'000'000};  // other choices, by chance
  EXPECT_NE(judge(set, {burst(27), burst(0)}).problem, "");
}

TEST(DemoCheck, EnergyLimitThatIsNotKept_IsAProblem) {
  DemoSet set;
  set.expect = DemoSet::Expect::InTime;
  set.unlike = 0;
  set.requirements.max_energy = Microjoules{94'000};
  std::vector<ClientAnswer> other = burst(27);
  for (ClientAnswer& answer : other) {
    answer.outcome.variant = "another-int8";
  }
  EXPECT_NE(judge(set, {burst(27), other}).problem, "");
}

TEST(DemoCheck, OnlyRefusalsAndLateTasksAreToBeExpectedOfADeadline) {
  DemoSet set;
  set.expect = DemoSet::Expect::InTime;
  EXPECT_EQ(
      judge(set, {{by("a"), ended(OutcomeKind::Rejected), ended(OutcomeKind::Expired)}}).problem,
      "");
  EXPECT_NE(judge(set, {{by("a"), ended(OutcomeKind::Failed)}}).problem, "");
  EXPECT_NE(judge(set, {{ended(OutcomeKind::Rejected)}}).problem, "");
}

}  // namespace
}  // namespace juggler
