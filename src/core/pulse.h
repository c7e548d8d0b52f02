#pragma once
// How a device's silence is judged: how often it says that it beats, and how patient experience has
// made the controller. No decision reads it; what comes of it is the device's Liveness.

#include <algorithm>

#include "core/units.h"

namespace juggler {

struct Pulse {
  // A device that beats slowly, or was thought lost wrongly, is given longer.
  static constexpr int kPatienceMax = 4;

  Micros beat = seconds(1);  // as the device says
  int patience = 1;
  Time alarmed;              // its last false alarm
  Time asked;                // when the broker was asked for its consumer
  Time told;                 // when it was told how often to beat
  bool fell_silent = false;  // it is lost by silence alone
  bool leaving = false;      // it said that it goes

  // A time that is meant for a device that beats once a second.
  Micros scaled(Micros for_one_second) const {
    return {for_one_second.count * beat.count / 1'000'000 * patience};
  }
  // It was there all the time.
  void false_alarm(Time now) {
    patience = std::min(patience * 2, kPatienceMax);
    alarmed = now;
  }
  void calm(Time now, Micros after) {
    if (patience > 1 && now - alarmed >= after) {
      patience /= 2;
      alarmed = now;
    }
  }
};

}  // namespace juggler
