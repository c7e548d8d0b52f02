#pragma once
// Puts a device aside that fails again and again: a circuit breaker. It is tried with little after
// a pause, longer each time, and let back by the first success.

#include <algorithm>

#include "core/units.h"

namespace juggler {

class Breaker {
 public:
  struct Rules {
    int failures = 3;           // in a row
    Micros pause = seconds(2);  // then this long nothing, doubled by each failed probe
    Micros pause_max = seconds(60);
    Micros at_once = milliseconds(100);  // failures so close together are one: a batch, a crash
  };
  enum class State {
    Closed,   // works
    Aside,    // gets nothing
    Probing,  // gets one batch, which decides
    Probed,   // has got it
  };

  State state() const { return state_; }
  // Whether nothing goes there.
  bool aside() const { return state_ == State::Aside || state_ == State::Probed; }

  // What became of work there. `may_open`: somebody else is left to do it.
  void failed(Time now, bool may_open, const Rules& rules) {
    if (now - failed_at_ < rules.at_once && failures_ > 0) {
      return;
    }
    failed_at_ = now;
    failures_ = std::min(failures_ + 1, rules.failures);
    const bool probe = state_ == State::Probing || state_ == State::Probed;
    if (may_open && (probe || (state_ == State::Closed && failures_ == rules.failures))) {
      pause_ = probe ? std::min(pause_ * 2, rules.pause_max) : rules.pause;
      until_ = now + pause_;
      state_ = State::Aside;
    }
  }
  // A failure was the task's own: another device failed with it too.
  void absolve() { failures_ = std::max(failures_ - 1, 0); }
  // What it still had when it was put aside does not speak for it.
  void succeeded() {
    if (state_ != State::Aside) {
      failures_ = 0;
      state_ = State::Closed;
    }
  }

  // The pause is over.
  bool may_be_probed(Time now) const { return aside() && now >= until_; }
  void probe() { state_ = State::Probing; }
  // A batch went there. If nobody ever says what became of it, there is another one.
  void probed(Time now, const Rules& rules) {
    state_ = State::Probed;
    until_ = now + rules.pause_max;
  }

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  State state_ = State::Closed;
  int failures_ = 0;
  Time failed_at_;
  Micros pause_;
  Time until_;
};

}  // namespace juggler
