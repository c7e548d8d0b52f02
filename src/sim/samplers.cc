#include "sim/samplers.h"

#include <cmath>

#include "core/check.h"
#include "core/portable_math.h"

namespace juggler {
namespace {

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
