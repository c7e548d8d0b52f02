#include "telemetry/energy_log.h"

#include <algorithm>
#include <cmath>

#include "telemetry/recent_mean.h"

namespace juggler {
namespace {

// 1.96 by the normal law, and an eighth more: the scatter is itself estimated from what was seen.
constexpr double kNormal95 = 2.2;
constexpr std::int64_t kMicrowattsMax = 1'000'000'000;  // no device takes a kilowatt

double micros(Micros time) { return static_cast<double>(time.count); }

}  // namespace

std::optional<EnergySlot> EnergyLog::add(Time at, const MeterReading& reading) {
  const std::optional<Last> before = std::exchange(last_, Last{at, reading});
  if (!before.has_value() || at <= before->at ||
      at - before->at > facts_.period * kGapPeriods + facts_.window) {
    return std::nullopt;
  }
  EnergySlot slot{before->at, at, {}};
  const Micros time = at - before->at;
  if (facts_.counter) {
    slot.energy = reading.energy - before->reading.energy;
  } else {  // the trapezoid between two powers, in mW x us / 1000
    slot.energy.count = (reading.power.count + before->reading.power.count) * time.count / 2 / 1000;
  }
  if (slot.energy < Microjoules{0} || slot.watts() > kMicrowattsMax / 1e6) {
    return std::nullopt;
  }
  slots_.push_back(slot);
  if (slots_.size() > kSlotsMax) {
    slots_.pop_front();
  }
  return slot;
}

// Each slot's energy is spread evenly over its time, so that the ends of the span cut it. What is
// unknown then: what lies in the cut slots (their power may have changed within, by as much as it
// differs from its neighbours'), what happened between two samples, and the meter's own offset.
EnergySpan EnergyLog::between(Time from, Time to) const {
  EnergySpan span;
  double differences = 0.0;  // squared, between neighbours
  double edges = 0.0;        // squared
  const double blur = micros(facts_.period + facts_.window) / 2;
  const EnergySlot* before = nullptr;
  for (const EnergySlot& slot : slots_) {
    const Micros inside = std::min(slot.to, to) - std::max(slot.from, from);
    const bool near = slot.to + facts_.period >= from && slot.from - facts_.period <= to;
    const bool follows = before != nullptr && before->to == slot.from;
    if (near && follows) {
      const double step = slot.watts() - before->watts();
      const bool at_edge = before->from < from || slot.to > to;
      (at_edge ? edges : differences) += step * step;
    }
    before = &slot;
    if (inside <= Micros{0}) {
      continue;
    }
    span.time += inside;
    span.slots += 1;
    span.gross_uj +=
        static_cast<double>(slot.energy.count) * micros(inside) / micros(slot.to - slot.from);
  }
  span.missing = std::max((to - from) - span.time, Micros{0});
  if (span.slots == 0) {
    return span;
  }
  // Independent samples of a power: a slot is the mean of two of them and shares one with its
  // neighbour, so that neighbours differ by (c - a) / 2, whose square is half of the variance. A
  // counter misses nothing in between.
  const double scatter = facts_.counter ? 0.0 : std::sqrt(differences * 2.0);
  const double sampling = kNormal95 * scatter * micros(facts_.period);
  const double edge = kNormal95 / std::sqrt(3.0) * std::sqrt(edges) * blur;
  span.noise_half_uj = std::hypot(sampling, edge);
  const double offset = static_cast<double>(facts_.step.count) / 1000 * micros(span.time);
  span.gross_half_uj = span.noise_half_uj + offset;
  return span;
}

IdlePower EnergyLog::idle(const std::vector<std::pair<Time, Time>>& spans) const {
  constexpr std::size_t kBlocksMax = 600;
  const Micros block = std::max(seconds(1), facts_.period * 5);
  RecentMean blocks(kBlocksMax);
  for (const auto& [from, to] : spans) {
    for (Time at = from; at + block <= to; at = at + block) {
      const EnergySpan span = between(at, at + block);
      if (span.missing == Micros{0}) {
        blocks.add(span.gross_uj / micros(span.time));
      }
    }
  }
  return {blocks.mean(), blocks.half_width(), blocks.count()};
}

// Constant offsets cancel against idle power's, but a meter that rounds to steps does so anew at
// each level: two roundings of up to half a step, evenly spread.
NetEnergy net_of(const EnergySpan& span, const IdlePower& idle, const MeterFacts& facts) {
  const double time = micros(span.time);
  const double rounding =
      kNormal95 * static_cast<double>(facts.step.count) / 1000 / std::sqrt(6.0) * time;
  NetEnergy net;
  net.uj = span.gross_uj - idle.watts * time;
  net.half_uj = std::hypot(span.noise_half_uj, idle.half_watts * time, rounding);
  return net;
}

}  // namespace juggler
