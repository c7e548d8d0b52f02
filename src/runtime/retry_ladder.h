#pragma once
// How long to wait before the next attempt to connect. Pure: time and randomness come from outside.

#include "core/rng.h"
#include "core/units.h"

namespace juggler {

// The first attempts follow at once, then each second, then ever more slowly up to `delay_max`:
// whoever lost the broker is back within that of its return, however long it was away.
//
// Every delay is drawn uniformly from [0, rung]: a fleet that lost its broker in one moment must
// not come back in one moment. Only a connection that held for `stable_after` starts the ladder
// anew, so that one that is accepted and dropped in turns does not spin.
// source  the rungs: rmqcpp's back-off levels; the jitter: "full jitter" of AWS's architecture
// blog.
class RetryLadder {
 public:
  static constexpr Micros kStableAfter = seconds(10);

  RetryLadder(std::uint64_t seed, Micros delay_max) : rng_(seed), delay_max_(delay_max) {}

  void succeeded(Time now) { up_since_ = now; }

  // The attempt failed, or the connection was lost: when to try again.
  Time failed(Time now);

  int failures() const { return failures_; }

  // The longest delay after this many failures in a row, from 1.
  Micros rung(int failures) const;

 private:
  Rng rng_;
  Micros delay_max_;
  int failures_ = 0;
  Time up_since_ = Time::never();
};

}  // namespace juggler
