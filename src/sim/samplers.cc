#include "sim/samplers.h"

#include <cmath>

#include "core/check.h"

namespace juggler {
namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kRootHalf = 0.7071067811865476;

// FNV-1a over the names, with a separator that no name can hold.
std::uint64_t hash(std::uint64_t state, std::string_view name) {
  constexpr std::uint64_t kPrime = 0x100000001b3ULL;
  for (const char c : name) {
    state = (state ^ static_cast<unsigned char>(c)) * kPrime;
  }
  return (state ^ 0x100U) * kPrime;
}

}  // namespace

Rng stream_rng(std::uint64_t seed, std::initializer_list<std::string_view> names) {
  std::uint64_t state = 0xcbf29ce484222325ULL;
  for (const std::string_view name : names) {
    state = hash(state, name);
  }
  // The generator's own seeding mixes; one draw between keeps seeds that differ by little apart.
  return Rng(Rng(seed).next() ^ state);
}

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

double draw_uniform(Rng& rng) { return (static_cast<double>(rng.next() >> 11U) + 0.5) * 0x1.0p-53; }

double draw_exponential(Rng& rng) { return -portable_ln(draw_uniform(rng)); }

double draw_normal(Rng& rng) {
  for (;;) {
    const double u = 2.0 * draw_uniform(rng) - 1.0;
    const double v = 2.0 * draw_uniform(rng) - 1.0;
    const double s = u * u + v * v;
    if (s > 0.0 && s < 1.0) {
      return u * std::sqrt(-2.0 * portable_ln(s) / s);  // the second number would be a state
    }
  }
}

double draw_gamma(Rng& rng, double shape) {
  JUGGLER_CHECK(shape > 0.0, "a gamma distribution without shape");
  if (shape < 1.0) {
    const double whole = draw_gamma(rng, shape + 1.0);
    return whole * portable_exp(portable_ln(draw_uniform(rng)) / shape);
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = draw_normal(rng);
    const double root = 1.0 + c * x;
    if (root <= 0.0) {
      continue;
    }
    const double v = root * root * root;
    if (portable_ln(draw_uniform(rng)) < 0.5 * x * x + d - d * v + d * portable_ln(v)) {
      return d * v;
    }
  }
}

// By inversion. The lower side has the weight of its width.
double log_triangular(double u, double low, double high) {
  JUGGLER_CHECK(low > 0.0 && low <= 1.0 && high >= 1.0, "an interval around its figure");
  const double below = -portable_ln(low);
  const double above = portable_ln(high);
  const double width = below + above;
  if (width <= 0.0) {
    return 1.0;
  }
  const double log = u * width < below ? -below + std::sqrt(u * width * below)
                                       : above - std::sqrt((1.0 - u) * width * above);
  return portable_exp(log);
}

}  // namespace juggler
