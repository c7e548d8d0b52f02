#pragma once
// What all boards of a simulated world take at once, by their true profiles and at their inputs:
// the truth that a watt limit is held to. The controller knows nothing of it.

#include <algorithm>
#include <optional>

#include "core/units.h"

namespace juggler::sim {

class PowerTrack {
 public:
  explicit PowerTrack(std::optional<Milliwatts> limit) : limit_(limit) {}

  void change(Time now, Milliwatts by) {
    if (limit_.has_value() && power_ > *limit_) {
      over_ += now - since_;
    }
    since_ = now;
    power_ += by;
    peak_ = std::max(peak_, power_);
  }

  Milliwatts peak() const { return peak_; }
  Micros over() const { return over_; }

 private:
  std::optional<Milliwatts> limit_;
  Milliwatts power_;
  Milliwatts peak_;
  Micros over_;
  Time since_;
};

}  // namespace juggler::sim
