// Tests that the samplers have the distributions they name, and the same bits everywhere.

#include "core/portable_math.h"
#include "sim/samplers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

namespace juggler {
namespace {

constexpr int kDraws = 100'000;

std::vector<double> draws(const std::function<double(Rng&)>& draw, std::uint64_t seed = 7) {
  Rng rng(seed);
  std::vector<double> values;
  for (int i = 0; i < kDraws; ++i) {
    values.push_back(draw(rng));
  }
  return values;
}

double mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

double central_moment(const std::vector<double>& values, int power) {
  const double middle = mean(values);
  double sum = 0.0;
  for (const double value : values) {
    sum += std::pow(value - middle, power);
  }
  return sum / static_cast<double>(values.size());
}

// The largest distance to a distribution function (Kolmogorov and Smirnov). Above 1.95 / sqrt(n) by
// chance once in a thousand.
double distance(std::vector<double> values, const std::function<double(double)>& distribution) {
  std::sort(values.begin(), values.end());
  double worst = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double below = static_cast<double>(i) / static_cast<double>(values.size());
    worst = std::max(worst, std::fabs(distribution(values[i]) - below));
  }
  return worst;
}

const double kDistanceMax = 1.95 / std::sqrt(kDraws);

TEST(Samplers, Logarithm_IsRightOverItsRange) {
  for (const double x : {1e-300, 1e-17, 0.1, 0.7071, 0.70711, 1.0, 1.5, 2.0, 12'345.678, 1e300}) {
    EXPECT_NEAR(portable_ln(x), std::log(x), 1e-14 * std::max(1.0, std::fabs(std::log(x)))) << x;
  }
}

TEST(Samplers, Exponential_IsRightOverItsRange) {
  for (const double x : {-600.0, -30.0, -1.0, -1e-9, 0.0, 0.3, 1.0, 20.0, 690.0}) {
    EXPECT_NEAR(portable_exp(x) / std::exp(x), 1.0, 1e-13) << x;
  }
  EXPECT_EQ(portable_exp(-1000.0), 0.0);
}

TEST(Samplers, UniformExponentialNormal_FollowTheirDistributions) {
  EXPECT_LT(distance(draws(draw_uniform), [](double x) { return x; }), kDistanceMax);
  EXPECT_LT(distance(draws(draw_exponential), [](double x) { return 1.0 - std::exp(-x); }),
            kDistanceMax);
  EXPECT_LT(distance(draws(draw_normal),
                     [](double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }),
            kDistanceMax);
}

TEST(Samplers, Gamma_HasTheMomentsOfItsShape) {
  for (const double shape : {0.0625, 0.25, 1.0, 2.5, 40.0}) {
    const std::vector<double> values = draws([&](Rng& rng) { return draw_gamma(rng, shape); });
    const double variance = central_moment(values, 2);
    // Five standard errors: of the mean sqrt(k / n), of the variance k sqrt((6 / k + 2) / n).
    EXPECT_NEAR(mean(values), shape, 5.0 * std::sqrt(shape / kDraws)) << shape;
    EXPECT_NEAR(variance, shape, 5.0 * shape * std::sqrt((6.0 / shape + 2.0) / kDraws)) << shape;
    const double skew = central_moment(values, 3) / std::pow(variance, 1.5);
    EXPECT_NEAR(skew, 2.0 / std::sqrt(shape), 0.2 * 2.0 / std::sqrt(shape) + 0.02) << shape;
  }
}

TEST(Samplers, Gamma_OfShapeOneIsExponential) {
  EXPECT_LT(distance(draws([](Rng& rng) { return draw_gamma(rng, 1.0); }),
                     [](double x) { return 1.0 - std::exp(-x); }),
            kDistanceMax);
}

// The mean logarithm is the digamma function of the shape: what lies near 0 is right too.
TEST(Samplers, Gamma_BelowShapeOneHasTheRightLogarithm) {
  const std::vector<double> values =
      draws([](Rng& rng) { return std::log(draw_gamma(rng, 0.25)); });
  EXPECT_NEAR(mean(values), -4.2274535, 5.0 * std::sqrt(17.1973 / kDraws));
}

TEST(Samplers, LogTriangular_StaysInsideAndHasItsMode) {
  const double low = std::log(0.5);
  const double high = std::log(3.0);
  const std::vector<double> values = draws([](Rng& rng) {
    const double factor = log_triangular(draw_uniform(rng), 0.5, 3.0);
    EXPECT_GE(factor, 0.5);
    EXPECT_LE(factor, 3.0);
    return std::log(factor);
  });
  EXPECT_LT(distance(values,
                     [&](double x) {
                       const double width = high - low;
                       return x < 0.0 ? (x - low) * (x - low) / (width * -low)
                                      : 1.0 - (high - x) * (high - x) / (width * high);
                     }),
            kDistanceMax);
}

TEST(Samplers, LogTriangular_OfAKnownFigureIsOne) { EXPECT_EQ(log_triangular(0.3, 1.0, 1.0), 1.0); }

// The numbers as written here: another compiler, library or machine must give the same.
TEST(Samplers, Bits_AreTheSameEverywhere) {
  Rng rng(42);
  EXPECT_EQ(draw_exponential(rng), 0x1.3d41d16f1bc99p+1);
  EXPECT_EQ(draw_normal(rng), -0x1.04ff9bfe3c5adp+0);
  EXPECT_EQ(draw_gamma(rng, 0.3), 0x1.c7e5fc38c0fbep-1);
  EXPECT_EQ(log_triangular(draw_uniform(rng), 0.5, 2.0), 0x1.0ff0bca423598p+0);
}

TEST(Samplers, Streams_DifferByEveryName) {
  const auto first = [](std::uint64_t seed, std::initializer_list<std::string_view> names) {
    return stream_rng(seed, names).next();
  };
  EXPECT_EQ(first(1, {"a", "b"}), first(1, {"a", "b"}));
  EXPECT_NE(first(1, {"a", "b"}), first(2, {"a", "b"}));
  EXPECT_NE(first(1, {"a", "b"}), first(1, {"b", "a"}));
  EXPECT_NE(first(1, {"a", "b"}), first(1, {"ab", ""}));
  EXPECT_NE(first(1, {"a"}), first(1, {"a", ""}));
}

}  // namespace
}  // namespace juggler
