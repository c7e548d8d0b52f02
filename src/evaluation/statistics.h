#pragma once
// Means over seeds with 95 % confidence intervals, and paired differences.

#include <cstddef>
#include <optional>
#include <span>

namespace juggler::evaluation {

struct Estimate {
  double mean = 0.0;
  std::optional<double> half_width;  // of the 95 % interval; nothing below two values
  std::size_t count = 0;
};

// Student's t: mean +- t(0.975, n - 1) s / sqrt(n). It assumes that means over seeds are about
// normal, which means of thousands of tasks are.
Estimate estimate(std::span<const double> values);

// Of a[i] - b[i]: the same seed has the same arrivals, so that differences vary less than values.
//
// requires  as many of each
Estimate paired_difference(std::span<const double> a, std::span<const double> b);

// The two-sided 95 % quantile of Student's t.
//
// requires  degrees >= 1
double student_t95(std::size_t degrees);

}  // namespace juggler::evaluation
