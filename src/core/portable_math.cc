#include "core/portable_math.h"

#include <cmath>

#include "core/check.h"

namespace juggler {
namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kRootHalf = 0.7071067811865476;

}  // namespace

// x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh((m - 1) / (m + 1)), whose series
// converges by (0.1716)^2 a term.
double portable_ln(double x) {
  JUGGLER_CHECK(x > 0.0 && std::isfinite(x), "the logarithm of what has none");
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < kRootHalf) {
    m *= 2.0;
    exponent -= 1;
  }
  const double z = (m - 1.0) / (m + 1.0);
  const double square = z * z;
  double sum = 0.0;
  for (int k = 21; k >= 1; k -= 2) {
    sum = sum * square + 1.0 / k;
  }
  return 2.0 * z * sum + exponent * kLn2;
}

// x = n ln 2 + r with |r| <= ln(2) / 2; e^r by its Taylor series.
double portable_exp(double x) {
  JUGGLER_CHECK(x <= 700.0, "the exponential of too much");
  if (x < -700.0) {
    return 0.0;
  }
  const auto n = static_cast<int>(std::floor(x / kLn2 + 0.5));
  const double r = x - n * kLn2;
  double sum = 1.0;
  for (int k = 16; k >= 1; --k) {
    sum = 1.0 + sum * r / k;
  }
  return std::ldexp(sum, n);
}

}  // namespace juggler
