#include "core/profile_point.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.h"

namespace juggler {
namespace {

// The 95th percentile of the normal distribution.
constexpr double kNormalP95 = 1.6448536269514722;
// A draw is at most this multiple of p95, so that one task cannot hang.
constexpr std::int64_t kDrawMaxOfP95 = 4;

double uniform(Rng& rng) { return (static_cast<double>(rng.next() >> 11U) + 0.5) * 0x1.0p-53; }

double normal(Rng& rng) {
  return std::sqrt(-2.0 * std::log(uniform(rng))) * std::cos(2.0 * std::numbers::pi * uniform(rng));
}

std::int64_t on_line(std::int64_t low, std::int64_t high, double share) {
  return low + std::llround(static_cast<double>(high - low) * share);
}

EnergyFigure energy_on_line(const EnergyFigure& low, const EnergyFigure& high, double share) {
  EnergyFigure energy = low;
  energy.value = {on_line(low.value.count, high.value.count, share)};
  energy.low = {on_line(low.low.count, high.low.count, share)};
  energy.high = {on_line(low.high.count, high.high.count, share)};
  energy.evidence = std::max(low.evidence, high.evidence);
  return energy;
}

}  // namespace

ProfilePoint point_at(const Profile& profile, int batch) {
  const std::vector<ProfilePoint>& points = profile.points;
  JUGGLER_CHECK(!points.empty() && batch >= 1, "profile without points");
  const auto above = std::lower_bound(points.begin(), points.end(), batch,
                                      [](const ProfilePoint& p, int b) { return p.batch < b; });
  if (above != points.end() && (above->batch == batch || above == points.begin())) {
    return *above;
  }
  // Between two points, or beyond the last: the line from nothing through it.
  const ProfilePoint& low = *std::prev(above);
  ProfilePoint high = low;
  if (above != points.end()) {
    high = *above;
  } else {
    const auto doubled = [](Micros t) { return t * 2; };
    high.batch = low.batch * 2;
    high.latency_mean = doubled(low.latency_mean);
    high.latency_p95 = doubled(low.latency_p95);
    if (high.energy.has_value()) {
      high.energy->value = high.energy->value * 2;
      high.energy->low = high.energy->low * 2;
      high.energy->high = high.energy->high * 2;
    }
  }
  const double share = static_cast<double>(batch - low.batch) / (high.batch - low.batch);
  ProfilePoint point;
  point.batch = batch;
  point.latency_mean = {on_line(low.latency_mean.count, high.latency_mean.count, share)};
  point.latency_p95 = {on_line(low.latency_p95.count, high.latency_p95.count, share)};
  if (low.energy.has_value() && high.energy.has_value()) {
    point.energy = energy_on_line(*low.energy, *high.energy, share);
  }
  return point;
}

Milliwatts power_above_idle(const ProfilePoint& point) {
  const std::int64_t uj = point.energy.has_value() ? point.energy->value.count : 0;
  return {uj * 1000 / std::max<std::int64_t>(point.latency_mean.count, 1)};
}

Micros draw_latency(const ProfilePoint& point, Rng& rng) {
  const auto mean = static_cast<double>(point.latency_mean.count);
  const double ratio = static_cast<double>(point.latency_p95.count) / mean;
  const double under_root = kNormalP95 * kNormalP95 - 2.0 * std::log(ratio);
  const double sigma = kNormalP95 - std::sqrt(std::max(0.0, under_root));
  const double value = mean * std::exp(sigma * normal(rng) - sigma * sigma / 2.0);
  const std::int64_t limit = point.latency_p95.count * kDrawMaxOfP95;
  return {std::clamp<std::int64_t>(std::llround(value), 1, limit)};
}

}  // namespace juggler
