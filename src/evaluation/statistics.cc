#include "evaluation/statistics.h"

#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"

namespace juggler::evaluation {

double student_t95(std::size_t degrees) {
  JUGGLER_CHECK(degrees >= 1, "no degree of freedom");
  // Any table of Student's t, p = 0.975.
  constexpr std::array<double, 30> kTable{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                          2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                          2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                          2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  if (degrees <= kTable.size()) {
    return kTable[degrees - 1];
  }
  // Cornish-Fisher's first terms about the normal quantile: right to 0.0005 from here on.
  constexpr double kZ = 1.959964;
  constexpr double kZ3 = kZ * kZ * kZ;
  const auto n = static_cast<double>(degrees);
  return kZ + (kZ3 + kZ) / (4.0 * n) +
         (5.0 * kZ3 * kZ * kZ + 16.0 * kZ3 + 3.0 * kZ) / (96.0 * n * n);
}

Estimate estimate(std::span<const double> values) {
  Estimate result;
  result.count = values.size();
  if (values.empty()) {
    return result;
  }
  double sum = 0.0;
  for (const double value : values) {
    sum += value;
  }
  const auto count = static_cast<double>(values.size());
  result.mean = sum / count;
  if (values.size() < 2) {
    return result;
  }
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - result.mean) * (value - result.mean);
  }
  result.half_width = student_t95(values.size() - 1) * std::sqrt(squares / (count - 1.0) / count);
  return result;
}

Estimate paired_difference(std::span<const double> a, std::span<const double> b) {
  JUGGLER_CHECK(a.size() == b.size(), "pairs need two of each");
  std::vector<double> differences;
  differences.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences.push_back(a[i] - b[i]);
  }
  return estimate(differences);
}

}  // namespace juggler::evaluation
