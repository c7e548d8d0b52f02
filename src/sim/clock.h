#pragma once
// The clocks of a simulated machine.

#include <algorithm>

#include "runtime/clock.h"
#include "sim/agenda.h"

namespace juggler::sim {

// Where simulated calendars begin.
inline constexpr std::int64_t kUnixStart = 1'700'000'000;

class SimClock final : public Clock {
 public:
  explicit SimClock(const Agenda& agenda) : agenda_(agenda) {}

  Time now() override { return agenda_.now() + ahead_; }
  std::int64_t unix_seconds() override {
    return kUnixStart + (agenda_.now() + calendar_ahead_).us / 1'000'000;
  }

  // A machine that slept, or whose virtual host did: its time jumps ahead. Back jumps only the
  // calendar: a monotonic clock never does.
  void jump(Micros by) {
    ahead_ += std::max(by, Micros{0});
    calendar_ahead_ += by;
  }
  Micros ahead() const { return ahead_; }

 private:
  const Agenda& agenda_;
  Micros ahead_;
  Micros calendar_ahead_;
};

}  // namespace juggler::sim
