// What surrounds the simulator: statistics, expectations, promises, loads, and evaluation files.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "evaluation/demand.h"
#include "evaluation/demand_file.h"
#include "evaluation/evaluation_file.h"
#include "evaluation/expectations.h"
#include "evaluation/parallel.h"
#include "evaluation/results.h"
#include "evaluation/runs.h"
#include "evaluation/statistics.h"
#include "sim/scenario_file.h"
#include "support/builders.h"

namespace juggler::evaluation {
namespace {

TEST(Statistics, Estimate_IsMeanWithStudentsInterval) {
  const std::array<double, 5> values{1, 2, 3, 4, 5};
  const Estimate estimated = estimate(values);
  EXPECT_DOUBLE_EQ(estimated.mean, 3.0);
  // s = sqrt(2.5), t(4) = 2.776.
  EXPECT_NEAR(*estimated.half_width, 2.776 * std::sqrt(2.5) / std::sqrt(5.0), 1e-9);
}

TEST(Statistics, OneValue_HasNoInterval) {
  const std::array<double, 1> values{7};
  EXPECT_FALSE(estimate(values).half_width.has_value());
  EXPECT_DOUBLE_EQ(estimate(values).mean, 7.0);
}

TEST(Statistics, PairedDifference_IsNarrowWhereSeedsVaryTogether) {
  const std::array<double, 4> a{10.1, 20.1, 30.1, 40.1};
  const std::array<double, 4> b{10, 20, 30, 40};
  const Estimate difference = paired_difference(a, b);
  EXPECT_NEAR(difference.mean, 0.1, 1e-9);
  EXPECT_LT(*difference.half_width, 1e-6);
}

TEST(Statistics, StudentT_FallsToTheNormalQuantile) {
  EXPECT_NEAR(student_t95(1), 12.706, 1e-3);
  EXPECT_NEAR(student_t95(31), 2.0395, 5e-4);
  EXPECT_NEAR(student_t95(1000), 1.9623, 5e-4);
}

TEST(ForEachIndex, RunsEachOnceOnManyThreads_AndStops) {
  std::array<std::atomic<int>, 100> seen{};
  for_each_index(seen.size(), {.jobs = 4}, [&](std::size_t i) { seen[i] += 1; });
  for (const std::atomic<int>& count : seen) {
    EXPECT_EQ(count.load(), 1);
  }
  std::atomic<int> begun{0};
  for_each_index(100, {.jobs = 2, .stop = [&] { return begun.load() >= 10; }},
                 [&](std::size_t) { begun += 1; });
  EXPECT_LT(begun.load(), 13);
}

sim::RunResult result_with(std::uint64_t offered, std::uint64_t on_time) {
  sim::RunResult result;
  result.offered = offered;
  result.completed = on_time;
  result.on_time = on_time;
  return result;
}

TEST(Expectations, UnmetOnes_AreNamedWithTheValue) {
  Scenario scenario;
  scenario.expectations = {{Measure::OnTimeRatio, false, 0.97}, {Measure::RejectedRatio, true, 0}};
  const std::vector<std::string> sentences = unmet(scenario, result_with(100, 90), std::nullopt);
  ASSERT_EQ(sentences.size(), 1U);
  EXPECT_EQ(sentences[0], "on_time_ratio_min = 0.97: it was 0.9");
  EXPECT_TRUE(unmet(scenario, result_with(100, 99), std::nullopt).empty());
}

TEST(Expectations, FigureThatTheRunLacks_IsUnmet) {
  Scenario scenario;
  scenario.expectations = {{Measure::EnergyOverBound, true, 1.2}};
  EXPECT_EQ(unmet(scenario, result_with(100, 99), std::nullopt).size(), 1U);
}

TEST(Promises, LossContradictionAndFloors_AreBroken) {
  sim::RunResult result = result_with(10, 10);
  EXPECT_TRUE(broken_promises({}, result).empty());
  result.lost = 1;
  result.contradicted = 2;
  result.below_accuracy_floor = 3;
  result.complaints = {"a rule"};
  EXPECT_EQ(broken_promises({}, result).size(), 4U);
}

TEST(Promises, SecondCopyOfAnOutcome_IsAllowedAfterACrashOnly) {
  sim::RunResult result = result_with(10, 10);
  result.duplicated = 1;
  EXPECT_EQ(broken_promises({}, result).size(), 1U);
  Scenario scenario;
  scenario.faults.resize(1);
  scenario.faults[0].kind = FaultKind::ControllerCrash;
  EXPECT_TRUE(broken_promises(scenario, result).empty());
}

TEST(Recovery, CountsFromTheFaultsEndToTheFirstGoodSecond) {
  Scenario scenario;
  scenario.duration = seconds(10);
  scenario.faults.resize(1);
  scenario.faults[0].at = seconds(3);
  scenario.faults[0].lasts = seconds(2);
  sim::RunResult result;
  for (const std::uint32_t on_time : {10U, 10U, 10U, 4U, 3U, 5U, 8U, 10U, 10U, 10U}) {
    sim::SecondResult second;
    second.offered = 10;
    second.on_time = on_time;
    result.seconds.push_back(second);
  }
  EXPECT_EQ(recovery_ms(scenario, result), 2000.0);
  scenario.faults.clear();
  EXPECT_EQ(recovery_ms(scenario, result), std::nullopt);
}

TEST(Bound, AppliesWhereAsManyWereOnTimeAsItServes) {
  const RunBound bound{.kind = BoundKind::Hindsight, .energy_uj = 100, .drop_share = 0.01};
  EXPECT_TRUE(applies(bound, result_with(100, 99)));
  EXPECT_FALSE(applies(bound, result_with(100, 98)));
}

// It was read by std::regex, which recursed once for each character of a line.
TEST(DemandFile, LineOfAMillionCharacters_IsNoStackOverflow) {
  const std::string offer = "[[offer]]\nboard = \"jetson-nano\"\nprice = 99\n";
  const auto demand = parse_demand(
      "[" + std::string(1'000'000, 'a') + "]\n" + offer + "[x] # y\nz = 1\n", "d.toml");
  ASSERT_TRUE(demand.has_value()) << demand.error().message;
  EXPECT_EQ(demand->offers.size(), 1U);
  EXPECT_EQ(demand->scenario_text.size(), 1'000'003U + 3U + 8U + 6U);
  EXPECT_TRUE(demand->scenario_text.ends_with("]\n\n\n\n[x] # y\nz = 1\n"));
}

class EvaluationFile : public testing::Test {
 protected:
  Result<Evaluation> load(const std::string& text) {
    const std::filesystem::path file =
        std::filesystem::path(testing::TempDir()) / "juggler_evaluation_test.toml";
    std::ofstream(file) << text;
    return load_evaluation(file);
  }
};

TEST_F(EvaluationFile, Case_IsReadWhole) {
  const auto evaluation = load(
      "seeds = 7\n[[case]]\nname = \"a\"\nscenarios = [\"home/burst\"]\nloads = [\"30%\"]\n"
      "policies = [\"juggler@latency\", \"single-variant:x\"]\nreference = \"single-variant:x\"\n"
      "bound = \"hindsight\"\n");
  ASSERT_TRUE(evaluation.has_value()) << evaluation.error().message;
  EXPECT_EQ(evaluation->seeds, 7U);
  const EvaluationCase& one = evaluation->cases.at(0);
  EXPECT_EQ(one.loads, std::vector<double>{0.3});
  EXPECT_EQ(one.contenders[0], "juggler@latency");
  EXPECT_EQ(one.bound, BoundKind::Hindsight);
}

TEST_F(EvaluationFile, Mistakes_AreRefusedWithTheirLine) {
  const std::string good = "[[case]]\nname = \"a\"\nscenarios = [\"x\"]\n";
  for (const char* wrong :
       {"policies = [\"fifo\"]\n", "policies = [\"juggler@speed\"]\n",
        "policies = [\"random\"]\nloads = [\"0.3\"]\n",
        "policies = [\"random\"]\nreference = \"juggler\"\n",
        "policies = [\"random\"]\nbound = \"best\"\n", "policies = [\"random\"]\nspeed = 1\n"}) {
    const auto evaluation = load(good + wrong);
    ASSERT_FALSE(evaluation.has_value()) << wrong;
    EXPECT_NE(evaluation.error().message.find("juggler_evaluation_test.toml:"), std::string::npos)
        << evaluation.error().message;
  }
  EXPECT_FALSE(load("seeds = 3\n").has_value());
}

TEST(EvaluationSets, ThatAreShipped_AreSound) {
  const auto evaluation = find_evaluation("standard", "");
  ASSERT_TRUE(evaluation.has_value()) << evaluation.error().message;
  for (const EvaluationCase& one : evaluation->cases) {
    for (const std::string& name : one.scenarios) {
      EXPECT_TRUE(find_scenario(name, "").has_value()) << name;
    }
  }
}

TEST(Demand, Load_IsAShareOfWhatTheFluidProgrammeServes) {
  const auto scenario = find_scenario("pair/steady-60", "");
  ASSERT_TRUE(scenario.has_value());
  const auto capacity = capacity_hz(*scenario);
  ASSERT_TRUE(capacity.has_value());
  Scenario resolved = *scenario;
  ASSERT_TRUE(resolve_loads(resolved).has_value());
  double rate = 0.0;
  for (const DemandClass& demand : resolved.classes) {
    rate += demand.arrivals.rate.hz;
  }
  EXPECT_NEAR(rate, 0.6 * *capacity, 1e-6 * rate);
}

TEST(Runs, SameSeed_SameDigestOnAnyThread_AndABoundBelow) {
  const auto scenario = find_scenario("pair/steady-30", "");
  ASSERT_TRUE(scenario.has_value());
  const auto ready = seeded(*scenario, {.seed = 3, .duration = seconds(4)});
  ASSERT_TRUE(ready.has_value()) << ready.error().message;
  const RunRequest request{.scenario = *ready, .bound = BoundKind::Hindsight};
  const auto runs = run_all({request, request, request, request}, {.jobs = 4});
  ASSERT_TRUE(runs.has_value()) << runs.error().message;
  ASSERT_EQ(runs->size(), 4U);
  for (const evaluation::Run& run : *runs) {
    EXPECT_EQ(run.result.digest, runs->front().result.digest);
    EXPECT_TRUE(run.broken.empty());
    ASSERT_TRUE(run.bound.has_value());
    EXPECT_GE(ratio_to(*run.bound, run.result), 1.0);
  }
  EXPECT_GT(runs->front().result.completed, 0U);
}

// A run of 20 s at 10 W whose 100 tasks came in 10 of them: 1 J each, not 2.
TEST(Results, EnergyWithRest_IsOfTheTimeInWhichTheTasksCame) {
  const auto scenario = find_scenario("pair/steady-30", "");
  ASSERT_TRUE(scenario.has_value());
  const auto ready = seeded(*scenario, {.seed = 1, .duration = seconds(10)});
  ASSERT_TRUE(ready.has_value()) << ready.error().message;
  ResultRun one{
      .scenario = "s", .contender = "p", .run = {.scenario = *ready, .policy = "p", .result = {}}};
  one.run.result.duration = seconds(10);
  one.run.result.ran = seconds(20);
  one.run.result.completed = 100;
  one.run.result.energy_total = Microjoules{50'000'000};
  one.run.result.idle_energy = Microjoules{150'000'000};
  Evaluation evaluation;
  evaluation.cases.resize(1);
  const std::string csv = results_csv(evaluation, {one});
  const auto columns = [](const std::string& line) {
    std::vector<std::string> cells(1);
    for (const char letter : line) {
      if (letter == ',') {
        cells.emplace_back();
      } else {
        cells.back() += letter;
      }
    }
    return cells;
  };
  const std::size_t end = csv.find('\n');
  const std::vector<std::string> names = columns(csv.substr(0, end));
  const auto at = std::find(names.begin(), names.end(), "energy_total_mj_per_task");
  ASSERT_NE(at, names.end());
  const std::vector<std::string> values = columns(csv.substr(end + 1));
  EXPECT_EQ(values.at(static_cast<std::size_t>(at - names.begin())), "1000");
}

}  // namespace
}  // namespace juggler::evaluation
