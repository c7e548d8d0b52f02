#pragma once
// How long to wait before the next attempt to connect. Pure: time and randomness come from outside.

#include "core/rng.h"
#include "core/units.h"

namespace juggler {

// The first attempts follow at once, then each second, then ever more slowly up to delay_max.
//
// Every delay is drawn uniformly from [0, rung]: a fleet that lost its broker in one moment must
// not come back in one moment. Only a connection that held for `stable_after` starts the ladder
// anew, so that one that is accepted and dropped in turns does not spin.
// source  the rungs: rmqcpp's back-off levels; the jitter: "full jitter" of AWS's architecture
// blog.
class RetryLadder {
 public:
  static constexpr Micros kStableAfter = seconds(10);
  static constexpr Micros kDelayMax = seconds(30);

  explicit RetryLadder(std::uint64_t seed) : rng_(seed) {}

  void succeeded(Time now) { up_since_ = now; }

  // The attempt failed, or the connection was lost: when to try again.
  Time failed(Time now);

  int failures() const { return failures_; }

  // The longest delay after this many failures in a row, from 1.
  static Micros rung(int failures);

 private:
  Rng rng_;
  int failures_ = 0;
  Time up_since_ = Time::never();
};

}  // namespace juggler
