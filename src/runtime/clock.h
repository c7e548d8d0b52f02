#pragma once
// The port to time. Two clocks: a monotonic one that measures, and the calendar for people.

#include <cstdint>

#include "core/units.h"

namespace juggler {

class Clock {
 public:
  virtual ~Clock() = default;

  // Microseconds since an arbitrary origin; never steps back.
  virtual Time now() = 0;
  // Seconds since 1970, for timestamps that people read and incarnations.
  virtual std::int64_t unix_seconds() = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
 public:
  Time now() override;
  std::int64_t unix_seconds() override;
};

}  // namespace juggler
