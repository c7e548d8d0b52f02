// What a run is said to have shown.

#include "sim/metrics.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace juggler {
namespace {

using sim::Metrics;
using sim::RunResult;
using sim::TimeHistogram;

DeviceFacts board() {
  return test::device("d").to_board_input(1100).serves(test::variant("n-fp32", 75),
                                                       milliseconds(9));
}

Outcome completed(std::int64_t energy_uj) {
  Outcome outcome = test::outcome_of("t0", OutcomeKind::Completed);
  outcome.device = "d";
  outcome.variant = "n-fp32";
  outcome.energy = EnergyFigure{.value = {energy_uj}, .low = {energy_uj}, .high = {energy_uj}};
  return outcome;
}

Metrics one_class(const DeviceFacts& facts, std::optional<MilliPercent> floor = std::nullopt) {
  return Metrics({{"all", milliseconds(100), floor}}, {&facts}, Time{1'000'000}, seconds(1));
}

TEST(Metrics, CountsFromTheScheduledArrivalAndAfterTheWarmUp) {
  const DeviceFacts facts = board();
  Metrics metrics = one_class(facts);
  metrics.offered(0, 0, Time{1'500'000});  // in the warm-up
  metrics.offered(1, 0, Time{2'000'000});
  metrics.offered(2, 0, Time{2'000'000});
  for (const std::uint64_t task : {0U, 1U, 2U}) {
    metrics.accepted(task);
  }
  metrics.answered(0, completed(1'000), Time{1'520'000});
  metrics.answered(1, completed(1'000), Time{2'100'000});
  metrics.answered(2, completed(1'000), Time{2'100'001});  // a microsecond late
  RunResult result;
  metrics.write(result, Time{3'000'000});
  EXPECT_EQ(result.offered, 2U);
  EXPECT_EQ(result.completed, 2U);
  EXPECT_EQ(result.on_time, 1U);
  EXPECT_EQ(result.latency.max, Micros{100'001});
  EXPECT_EQ(result.energy_completed, Microjoules{2'200});  // at the board's input
  EXPECT_DOUBLE_EQ(result.accuracy_percent_mean, 75.0);
  EXPECT_EQ(result.lost, 0U);
}

TEST(Metrics, AcceptedAndNeverAnswered_IsLost) {
  const DeviceFacts facts = board();
  Metrics metrics = one_class(facts);
  metrics.offered(0, 0, Time{2'000'000});
  metrics.offered(1, 0, Time{2'000'000});
  metrics.accepted(0);
  metrics.turned_away(1);
  RunResult result;
  metrics.write(result, Time{3'000'000});
  EXPECT_EQ(result.lost, 1U);
  EXPECT_EQ(result.turned_away, 1U);
  EXPECT_EQ(metrics.unanswered(5), std::vector<std::uint64_t>{0});
}

TEST(Metrics, TheSameOutcomeAgain_IsADuplicate_AnotherOneAContradiction) {
  const DeviceFacts facts = board();
  Metrics metrics = one_class(facts);
  metrics.offered(0, 0, Time{2'000'000});
  metrics.answered(0, completed(1), Time{2'010'000});
  metrics.answered(0, completed(1), Time{2'020'000});
  metrics.answered(0, test::outcome_of("t0", OutcomeKind::Expired), Time{2'030'000});
  RunResult result;
  metrics.write(result, Time{3'000'000});
  EXPECT_EQ(result.completed, 1U);
  EXPECT_EQ(result.duplicated, 1U);
  EXPECT_EQ(result.contradicted, 1U);
}

TEST(Metrics, BelowTheFloor_IsSeen) {
  const DeviceFacts facts = board();
  Metrics metrics = one_class(facts, MilliPercent{80'000});
  metrics.offered(0, 0, Time{2'000'000});
  metrics.answered(0, completed(1), Time{2'010'000});
  RunResult result;
  metrics.write(result, Time{3'000'000});
  EXPECT_EQ(result.below_accuracy_floor, 1U);
}

TEST(TimeHistogram, Percentiles_AreWithinATwentieth) {
  TimeHistogram histogram;
  for (std::int64_t value = 1; value <= 10'000; ++value) {
    histogram.add(value);
  }
  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.5)), 5'000, 250);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.99)), 9'900, 495);
}

}  // namespace
}  // namespace juggler
