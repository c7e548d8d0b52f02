#pragma once
// What a meter said, integrated over time: energy between any two moments, with its uncertainty.
// Counts what it cannot vouch for as missing: gaps, a counter that began anew, a clock that jumped.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/units.h"
#include "telemetry/meter.h"

namespace juggler {

// The energy between two readings that follow each other.
struct EnergySlot {
  Time from;
  Time to;
  Microjoules energy;

  double watts() const {
    return static_cast<double>(energy.count) / static_cast<double>((to - from).count);
  }
};

// Microjoules with the half width of their 95 % interval.
struct EnergySpan {
  Micros time;     // that slots cover
  Micros missing;  // of what was asked for
  double gross_uj = 0.0;
  double gross_half_uj = 0.0;  // sampling, edges, and the meter's step as a constant offset
  double noise_half_uj = 0.0;  // the same without that offset, which idle power has too
  std::size_t slots = 0;
};

struct IdlePower {
  double watts = 0.0;
  double half_watts = 0.0;  // of the 95 % interval
  std::size_t blocks = 0;   // of a second or more
};

struct NetEnergy {
  double uj = 0.0;
  double half_uj = 0.0;
};

class EnergyLog {
 public:
  explicit EnergyLog(MeterFacts facts) : facts_(std::move(facts)) {}

  // The slot that this reading ends; nothing where a slot begins anew: it is the first, too long
  // after the last, or a counter that went back.
  std::optional<EnergySlot> add(Time at, const MeterReading& reading);
  // The meter did not answer.
  void lose() { last_.reset(); }

  EnergySpan between(Time from, Time to) const;
  // Idle power over spans in which nothing ran, by blocks of a second: scatter and drift.
  IdlePower idle(const std::vector<std::pair<Time, Time>>& spans) const;

  const MeterFacts& facts() const { return facts_; }

 private:
  static constexpr std::size_t kSlotsMax = 16'384;  // 27 minutes at 10 Hz
  static constexpr int kGapPeriods = 3;             // more than these without a reading is a gap

  struct Last {
    Time at;
    MeterReading reading;
  };

  MeterFacts facts_;
  std::optional<Last> last_;
  std::deque<EnergySlot> slots_;
};

// Energy above idle over a span.
NetEnergy net_of(const EnergySpan& span, const IdlePower& idle, const MeterFacts& facts);

}  // namespace juggler
