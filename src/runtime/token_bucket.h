#pragma once
// How often somebody may have something done: some at once, then so many a second.

#include <algorithm>
#include <cstdint>

#include "core/units.h"

namespace juggler {

class TokenBucket {
 public:
  // Full at first.
  constexpr TokenBucket(int at_once, Micros each) : at_once_(at_once), each_(each) {}

  // thread  one at a time; `now` never goes back
  bool take(Time now) {
    full_at_ = std::max(full_at_, now);
    if (full_at_ - now > each_ * (at_once_ - 1)) {
      return false;
    }
    full_at_ = full_at_ + each_;
    return true;
  }

 private:
  int at_once_;
  Micros each_;
  Time full_at_;  // when all tokens are back
};

}  // namespace juggler
