#pragma once
// Running figures of a quantity that drifts. Integers, so that every machine agrees.

#include <cstdint>

#include "core/units.h"

namespace juggler {

// A mean in which an old sample's weight falls to 1/e in eight samples, and how far samples lie
// from it.
class MovingMean {
 public:
  void add(std::int64_t sample) {
    if (samples_ == 0) {
      mean_ = sample;
    } else {
      const std::int64_t off = sample - mean_;
      mean_ += off / kWindow;
      deviation_ += ((off < 0 ? -off : off) - deviation_) / kWindow;
    }
    samples_ += 1;
  }
  std::int64_t mean() const { return mean_; }
  // About one standard deviation: 1.25 times the mean distance, as for a normal distribution.
  std::int64_t spread() const { return deviation_ + deviation_ / 4; }
  std::int64_t samples() const { return samples_; }
  // Moves a part of the way to `target`, for want of samples.
  void fade(std::int64_t target) {
    mean_ += (target - mean_) / kWindow;
    deviation_ -= deviation_ / kWindow;
  }

  friend bool operator==(const MovingMean&, const MovingMean&) = default;

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  static constexpr std::int64_t kWindow = 8;
  std::int64_t mean_ = 0;
  std::int64_t deviation_ = 0;
  std::int64_t samples_ = 0;
};

// How fast tasks come, from the gaps between them.
class ArrivalRate {
 public:
  void arrived(std::int64_t now_us) {
    if (last_us_ >= 0) {
      const std::int64_t gap = now_us - last_us_;
      gap_us_ = gap_us_ < 0 ? gap : gap_us_ + (gap - gap_us_) / kWindow;
    }
    last_us_ = now_us;
    count_ += 1;
  }
  // When the last came; zero before the first.
  Time last() const { return {last_us_ < 0 ? 0 : last_us_}; }
  // So many have come.
  std::int64_t count() const { return count_; }
  // The gap expected until the next one; never is a long time. A silence longer than the mean gap
  // counts as the gap, so that a stream that has ended is not waited for.
  std::int64_t gap_us(std::int64_t now_us) const {
    if (gap_us_ < 0) {
      return kNever;
    }
    const std::int64_t silent = now_us - last_us_;
    const std::int64_t gap = gap_us_ > silent ? gap_us_ : silent;
    return gap > 0 ? gap : 1;
  }
  static constexpr std::int64_t kNever = std::int64_t{1} << 50;

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  static constexpr std::int64_t kWindow = 32;
  std::int64_t last_us_ = -1;
  std::int64_t gap_us_ = -1;
  std::int64_t count_ = 0;
};

}  // namespace juggler
