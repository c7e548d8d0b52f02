#pragma once
// The port to a power meter, and what is known of one: where it sits, how often it may be asked,
// how coarse it is. Joules of two scopes are not the same joules.

#include <memory>
#include <optional>
#include <string>

#include "core/evidence.h"
#include "core/units.h"
#include "telemetry/absence.h"

namespace juggler {

struct MeterFacts {
  std::string name;  // "ina3221 VDD_IN", "rapl package-0 dram"
  PowerScope scope = PowerScope::BoardInput;
  Evidence evidence = Evidence::Measured;
  bool counter = false;  // counts energy; else it says a power at a time
  Micros period;         // how often it is read
  Micros window;         // over which one value is a mean, or by which it may be late
  Milliwatts step;       // its resolution, where it says a power; 0 for a counter
  std::string source;    // of an estimate's coefficients; else empty
};

struct MeterReading {
  Microjoules energy;  // of a counter: since the meter was opened, wraps taken out
  Milliwatts power;    // of another: now
};

// thread  the meter's own
class PowerMeter {
 public:
  virtual ~PowerMeter() = default;
  virtual const MeterFacts& facts() const = 0;
  // May block: 26 ms for an INA3221, seconds for a plug.
  virtual Fact<MeterReading> read(Time now) = 0;
};

}  // namespace juggler
