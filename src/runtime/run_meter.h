#pragma once
// The port by which `juggler profile` measures what runs cost: it says when it rests and when it
// runs, and is told the energy of one run. src/telemetry has the meters.

#include <cstdint>
#include <optional>
#include <string>

#include "core/evidence.h"
#include "core/units.h"

namespace juggler {

// Of one run among many alike.
struct RunEnergy {
  EnergyFigure above_rest;  // with the 95 % interval of the mean
  Milliwatts power;         // of the whole device meanwhile, at the meter's place
};

struct RestPower {
  Milliwatts value;
  Milliwatts low;
  Milliwatts high;

  friend bool operator==(const RestPower&, const RestPower&) = default;
};

// thread  one
class RunMeter {
 public:
  virtual ~RunMeter() = default;

  virtual const std::string& name() const = 0;
  virtual PowerScope scope() const = 0;
  virtual Evidence evidence() const = 0;
  // Runs shorter than this all together are known badly: the meter is slower.
  virtual Micros time_min() const = 0;

  // Lets the device rest for so long. What is seen of it counts for all that runs before the next
  // rest and after.
  virtual void rest(Micros time) = 0;
  // Runs follow each other from here on.
  virtual void begin() = 0;
  // So many have run since. Nothing where the meter did not see enough, of them or of rest.
  virtual std::optional<RunEnergy> end(std::int64_t runs) = 0;
  // Nothing until enough was seen.
  virtual std::optional<RestPower> at_rest() const = 0;
};

}  // namespace juggler
