#pragma once
// Energy from a power and a time, for devices without a meter.

#include "core/evidence.h"
#include "core/units.h"

namespace juggler {

// Power above idle while an inference runs, with its interval.
struct BusyPower {
  Milliwatts value;
  Milliwatts low;
  Milliwatts high;
  Evidence evidence = Evidence::Assumed;
  PowerScope scope = PowerScope::Package;

  friend bool operator==(const BusyPower&, const BusyPower&) = default;
};

inline EnergyFigure energy_over(const BusyPower& power, Micros time) {
  const auto energy = [&](Milliwatts p) { return Microjoules{p.count * time.count / 1000}; };
  return {energy(power.value), energy(power.low), energy(power.high), power.evidence, power.scope};
}

}  // namespace juggler
