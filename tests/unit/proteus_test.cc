// The Proteus-like baseline: what its programme decides, in whole runs.

#include "evaluation/proteus.h"

#include <gtest/gtest.h>

#include "evaluation/runs.h"
#include "sim/scenario_file.h"

namespace juggler::evaluation {
namespace {

sim::RunResult run_at(double load) {
  const auto scenario = find_scenario("pair/steady-30", "");
  EXPECT_TRUE(scenario.has_value());
  const auto ready = seeded(*scenario, {.seed = 1, .load = load, .duration = seconds(20)});
  EXPECT_TRUE(ready.has_value());
  const auto run =
      run_once({.scenario = *ready, .policy = std::string(kProteus), .bound = BoundKind::None});
  EXPECT_TRUE(run.has_value());
  EXPECT_TRUE(run->broken.empty());
  return run->result;
}

TEST(Proteus, MoreDemand_IsServedWithLessAccuracy) {
  const sim::RunResult idle = run_at(0.05);
  const sim::RunResult busy = run_at(0.6);
  EXPECT_GT(idle.on_time, idle.offered * 95 / 100);
  EXPECT_GT(busy.on_time, busy.offered * 80 / 100);
  EXPECT_GT(idle.accuracy_percent_mean, busy.accuracy_percent_mean + 1.0);
}

TEST(Proteus, IsKnownInSimulationsAlone) {
  EXPECT_TRUE(check_simulated_policy("proteus").has_value());
  EXPECT_TRUE(check_simulated_policy("juggler@latency").has_value());
  EXPECT_FALSE(make_policy("proteus").has_value());
  const auto unknown = check_simulated_policy("fifo");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("proteus"), std::string::npos);
}

}  // namespace
}  // namespace juggler::evaluation
