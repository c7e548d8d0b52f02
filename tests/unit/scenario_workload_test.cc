// Tests that arrivals have the statistics of their parameters, by bounds that another process would
// miss, and that what belongs to one class leaves the others alone.

#include "sim/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "sim/arrival_streams.h"

namespace juggler {
namespace {

DemandClass demand(const std::string& name, const ArrivalShape& shape, double hz, Micros length) {
  DemandClass demand;
  demand.name = name;
  demand.arrivals = {shape, {hz, 0.0}, Micros{0}, length};
  return demand;
}

std::vector<Arrival> arrivals_of(Scenario scenario) {
  Result<Workload> workload = Workload::open(scenario);
  EXPECT_TRUE(workload.has_value());
  std::vector<Arrival> arrivals;
  while (const std::optional<Arrival> arrival = workload->next()) {
    arrivals.push_back(*arrival);
  }
  return arrivals;
}

std::vector<Arrival> arrivals_of(const ArrivalShape& shape, double hz, Micros length,
                                 std::uint64_t seed = 3) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.duration = length;
  scenario.classes.push_back(demand("only", shape, hz, length));
  return arrivals_of(scenario);
}

struct GapStatistics {
  double mean_us = 0.0;
  double cv = 0.0;
};

GapStatistics gaps(const std::vector<Arrival>& arrivals) {
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 1; i < arrivals.size(); ++i) {
    const auto gap = static_cast<double>((arrivals[i].at - arrivals[i - 1].at).count);
    sum += gap;
    squares += gap * gap;
  }
  const auto count = static_cast<double>(arrivals.size() - 1);
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean) / mean};
}

std::vector<double> counts(const std::vector<Arrival>& arrivals, Micros window, Micros length) {
  std::vector<double> windows(static_cast<std::size_t>(length.count / window.count), 0.0);
  for (const Arrival& arrival : arrivals) {
    const auto at = static_cast<std::size_t>(arrival.at.us / window.count);
    if (at < windows.size()) {
      windows[at] += 1.0;
    }
  }
  return windows;
}

// Variance over mean of the counts per window: 1 for Poisson.
double dispersion(const std::vector<double>& windows) {
  double sum = 0.0;
  double squares = 0.0;
  for (const double count : windows) {
    sum += count;
    squares += count * count;
  }
  const double mean = sum / static_cast<double>(windows.size());
  return (squares / static_cast<double>(windows.size()) - mean * mean) / mean;
}

std::size_t between(const std::vector<Arrival>& arrivals, std::int64_t from_s,
                    std::int64_t until_s) {
  return static_cast<std::size_t>(
      std::count_if(arrivals.begin(), arrivals.end(), [&](const Arrival& a) {
        return a.at.us >= from_s * 1'000'000 && a.at.us < until_s * 1'000'000;
      }));
}

TEST(Workload, Poisson_HasItsRateAndNoMemory) {
  const std::vector<Arrival> arrivals = arrivals_of(PoissonArrivals{}, 100.0, seconds(1000));
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 100'000.0, 5.0 * std::sqrt(100'000.0));
  const GapStatistics found = gaps(arrivals);
  EXPECT_NEAR(found.cv, 1.0, 0.02);
  EXPECT_NEAR(dispersion(counts(arrivals, milliseconds(500), seconds(1000))), 1.0, 0.15);
}

// At a million a second most gaps are rounded away; the rate must not be.
TEST(Workload, FastPoisson_KeepsItsRateThroughRounding) {
  const std::vector<Arrival> arrivals = arrivals_of(PoissonArrivals{}, 1e6, milliseconds(500));
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 500'000.0, 5.0 * std::sqrt(500'000.0));
}

TEST(Workload, Gamma_HasItsVariation) {
  // A code-like stream (CV 13) and one like a bursty feed (CV 2): docs/scenarios.md.
  for (const double cv : {0.5, 2.0, 13.0}) {
    const std::vector<Arrival> arrivals = arrivals_of(GammaArrivals{cv}, 200.0, seconds(2000));
    const double expected = 400'000.0;
    EXPECT_NEAR(static_cast<double>(arrivals.size()), expected, 5.0 * cv * std::sqrt(expected));
    EXPECT_NEAR(gaps(arrivals).cv / cv, 1.0, cv > 4.0 ? 0.15 : 0.03) << cv;
  }
}

// The index of dispersion of a renewal process tends to CV squared.
TEST(Workload, Gamma_IsBurstyOverLongWindowsToo) {
  const std::vector<Arrival> arrivals = arrivals_of(GammaArrivals{2.0}, 200.0, seconds(4000));
  EXPECT_NEAR(dispersion(counts(arrivals, seconds(2), seconds(4000))), 4.0, 0.6);
}

// Begun with an arrival, CV 13 would give 84 more in any length of time: 134 instead of 50.
TEST(Workload, Gamma_HasItsRateFromTheStart) {
  double sum = 0.0;
  constexpr int kRuns = 2000;
  for (int seed = 1; seed <= kRuns; ++seed) {
    sum += static_cast<double>(
        arrivals_of(GammaArrivals{13.0}, 50.0, seconds(1), static_cast<std::uint64_t>(seed))
            .size());
  }
  EXPECT_NEAR(sum / kRuns, 50.0, 15.0);
}

TEST(Workload, Cameras_SendEachAtItsPeriod) {
  const std::vector<Arrival> arrivals = arrivals_of(ConstantArrivals{4}, 40.0, seconds(10));
  ASSERT_EQ(arrivals.size(), 400U);
  for (std::size_t i = 4; i < arrivals.size(); ++i) {
    EXPECT_NEAR(static_cast<double>((arrivals[i].at - arrivals[i - 4].at).count), 100'000.0, 1.0);
  }
  EXPECT_LT(arrivals[3].at, Time{100'000});
}

TEST(Workload, OnOff_HasItsMeanAndTheDispersionOfItsDwells) {
  const OnOffArrivals shape{3.0, seconds(2), seconds(8)};
  const Micros length = seconds(20'000);
  const std::vector<Arrival> arrivals = arrivals_of(shape, 50.0, length);
  // The rate is 150 or 25 Hz, 1.6 s correlated: variance 2500, so IDC = 1 + 2 x 2500 x 1.6 / 50 x
  // (1 - 1.6 / 20 x (1 - exp(-20 / 1.6))) over 20 s.
  EXPECT_DOUBLE_EQ(low_rate_of(shape), 0.5);
  const double idc = 1.0 + 160.0 * (1.0 - 0.08 * (1.0 - std::exp(-12.5)));
  EXPECT_NEAR(dispersion(counts(arrivals, seconds(20), length)) / idc, 1.0, 0.2);
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 1e6, 5.0 * std::sqrt(161.0 * 1e6));
  std::vector<double> windows = counts(arrivals, milliseconds(500), length);
  std::sort(windows.begin(), windows.end());
  const double peak = windows[windows.size() * 90 / 100];  // inside the fifth that is high
  EXPECT_NEAR(peak / 25.0, 3.0, 0.25);
}

TEST(Workload, Diurnal_RisesAndFallsWithItsPeriod) {
  const DiurnalArrivals shape{0.8, seconds(400), Micros{0}};
  const std::vector<Arrival> arrivals = arrivals_of(shape, 100.0, seconds(400));
  // A quarter around the crest has 1 + 0.8 x 2 sqrt(2) / pi of the mean, around the trough 1 -
  // that.
  EXPECT_NEAR(static_cast<double>(between(arrivals, 50, 150)), 17'203.0, 5.0 * std::sqrt(17'203.0));
  EXPECT_NEAR(static_cast<double>(between(arrivals, 250, 350)), 2'797.0, 5.0 * std::sqrt(2'797.0));
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 40'000.0, 1'000.0);
}

TEST(Workload, FlashCrowd_ComesOnTopOfTheSameArrivals) {
  const FlashCrowdArrivals shape{4.0, seconds(100), seconds(50)};
  const std::vector<Arrival> with = arrivals_of(shape, 100.0, seconds(300));
  const std::vector<Arrival> without = arrivals_of(PoissonArrivals{}, 100.0, seconds(300));
  EXPECT_NEAR(static_cast<double>(between(with, 100, 150)), 20'000.0, 5.0 * std::sqrt(20'000.0));
  EXPECT_EQ(between(with, 0, 100), between(without, 0, 100));
  EXPECT_EQ(between(with, 150, 300), between(without, 150, 300));
  std::size_t found = 0;
  for (const Arrival& arrival : with) {
    found += found < without.size() && arrival.at == without[found].at ? 1U : 0U;
  }
  EXPECT_EQ(found, without.size());
}

TEST(Workload, Ramp_RisesEvenly) {
  const std::vector<Arrival> up = arrivals_of(RampArrivals{{300.0, 0.0}}, 100.0, seconds(200));
  EXPECT_NEAR(static_cast<double>(up.size()), 40'000.0, 1'000.0);
  EXPECT_NEAR(static_cast<double>(between(up, 0, 20)), 2'200.0, 5.0 * std::sqrt(2'200.0));
  EXPECT_NEAR(static_cast<double>(between(up, 180, 200)), 5'800.0, 5.0 * std::sqrt(5'800.0));
  const std::vector<Arrival> down = arrivals_of(RampArrivals{{1.0, 0.0}}, 100.0, seconds(200));
  EXPECT_NEAR(static_cast<double>(down.size()), 10'100.0, 5.0 * std::sqrt(10'100.0));
  const std::vector<Arrival> flat = arrivals_of(RampArrivals{{100.0, 0.0}}, 100.0, seconds(200));
  EXPECT_NEAR(static_cast<double>(flat.size()), 20'000.0, 5.0 * std::sqrt(20'000.0));
}

TEST(Workload, MeanRate_IsWhatComesOnAverage) {
  const ArrivalShape shapes[] = {PoissonArrivals{},
                                 ConstantArrivals{3},
                                 GammaArrivals{2.0},
                                 OnOffArrivals{},
                                 DiurnalArrivals{0.9, seconds(900), seconds(100)},
                                 FlashCrowdArrivals{5.0, seconds(250), seconds(500)},
                                 RampArrivals{{50.0, 0.0}}};
  for (const ArrivalShape& shape : shapes) {
    const ArrivalProcess process{shape, {100.0, 0.0}, Micros{0}, seconds(300)};
    double sum = 0.0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      sum += static_cast<double>(arrivals_of(shape, 100.0, seconds(300), seed).size());
    }
    EXPECT_NEAR(sum / 20.0 / expected_tasks(process), 1.0, 0.02) << shape.index();
  }
}

TEST(Workload, Classes_ComeInOrderWithinTheirTimes) {
  Scenario scenario;
  scenario.duration = seconds(100);
  scenario.classes = {demand("a", PoissonArrivals{}, 50.0, seconds(100)),
                      demand("b", ConstantArrivals{2}, 50.0, seconds(100))};
  scenario.classes[1].arrivals.from = seconds(20);
  scenario.classes[1].arrivals.until = seconds(60);
  const std::vector<Arrival> arrivals = arrivals_of(scenario);
  std::size_t of_b = 0;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    EXPECT_EQ(arrivals[i].number, i);
    if (i > 0) {
      EXPECT_LE(arrivals[i - 1].at, arrivals[i].at);
    }
    if (arrivals[i].demand == 1) {
      of_b += 1;
      EXPECT_GE(arrivals[i].at, Time{20'000'000});
      EXPECT_LT(arrivals[i].at, Time{60'000'000});
    }
  }
  EXPECT_EQ(of_b, 2000U);
}

TEST(Workload, AnotherClass_LeavesTheFirstAlone) {
  Scenario scenario;
  scenario.duration = seconds(10);
  scenario.classes = {demand("a", GammaArrivals{2.0}, 50.0, seconds(10))};
  const std::vector<Arrival> alone = arrivals_of(scenario);
  scenario.classes.insert(scenario.classes.begin(),
                          demand("b", PoissonArrivals{}, 80.0, seconds(10)));
  scenario.faults.push_back({FaultKind::Crash, seconds(3), seconds(1), "", 1.0, 0.0, {}, {}});
  std::vector<Time> beside;
  for (const Arrival& arrival : arrivals_of(scenario)) {
    if (arrival.demand == 1) {
      beside.push_back(arrival.at);
    }
  }
  ASSERT_EQ(beside.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(beside[i], alone[i].at);
  }
}

// The digest as written here: another compiler, library or machine must give the same arrivals.
TEST(Workload, Arrivals_AreTheSameEverywhere) {
  Scenario scenario;
  scenario.seed = 11;
  scenario.duration = seconds(20);
  scenario.classes = {demand("a", PoissonArrivals{}, 100.0, seconds(20)),
                      demand("b", GammaArrivals{13.0}, 100.0, seconds(20)),
                      demand("c", OnOffArrivals{}, 100.0, seconds(20)),
                      demand("d", RampArrivals{{300.0, 0.0}}, 10.0, seconds(20)),
                      demand("e", ConstantArrivals{7}, 70.0, seconds(20))};
  std::uint64_t digest = 0xcbf29ce484222325ULL;
  for (const Arrival& arrival : arrivals_of(scenario)) {
    digest = (digest ^ static_cast<std::uint64_t>(arrival.at.us)) * 0x100000001b3ULL;
    digest = (digest ^ arrival.demand) * 0x100000001b3ULL;
  }
  EXPECT_EQ(digest, 746423429240942475U);
}

TEST(Scenario, Loads_BecomeRatesOfTheCapacity) {
  Scenario scenario;
  scenario.classes = {demand("a", RampArrivals{{0.0, 1.2}}, 0.0, seconds(1)),
                      demand("b", PoissonArrivals{}, 30.0, seconds(1))};
  scenario.classes[0].arrivals.rate.load = 0.4;
  EXPECT_TRUE(needs_capacity(scenario));
  scale_rates(scenario, 200.0);
  EXPECT_DOUBLE_EQ(scenario.classes[0].arrivals.rate.hz, 80.0);
  EXPECT_DOUBLE_EQ(std::get<RampArrivals>(scenario.classes[0].arrivals.shape).end.hz, 240.0);
  EXPECT_DOUBLE_EQ(scenario.classes[1].arrivals.rate.hz, 30.0);
  scale_rates(scenario, 100.0);  // another fleet: from the loads again
  EXPECT_DOUBLE_EQ(scenario.classes[0].arrivals.rate.hz, 40.0);
}

TEST(Scenario, ExpectationKeys_AreReadAsWritten) {
  for (const std::string& key : expectation_keys()) {
    const std::optional<Expectation> read = parse_expectation_key(key);
    ASSERT_TRUE(read.has_value()) << key;
    EXPECT_EQ(expectation_key(read->measure, read->at_most), key);
  }
  EXPECT_FALSE(parse_expectation_key("miss_ratio").has_value());
  EXPECT_FALSE(parse_expectation_key("speed_max").has_value());
}

}  // namespace
}  // namespace juggler
