#pragma once
// How often a kind of line may be written to the log: whoever can make a program write one with
// each message could fill the disk else.

#include <cstdint>
#include <utility>

#include "core/units.h"

namespace juggler {

// Each kind of line has one of its own.
class LineRate {
 public:
  static constexpr std::uint64_t kLinesMax = 10;  // in a second

  // Whether one more may be written now; else it is counted as left out.
  bool may_say(Time now) {
    begin_second(now);
    if (said_ < kLinesMax) {
      said_ += 1;
      return true;
    }
    left_out_ += 1;
    return false;
  }

  // How many were left out in a second that is over: said once, then 0.
  std::uint64_t take_left_out(Time now) {
    return left_out_ > 0 && now - began_ >= seconds(1) ? std::exchange(left_out_, 0) : 0;
  }

 private:
  void begin_second(Time now) {
    if (said_ == 0 || now - began_ >= seconds(1)) {
      began_ = now;
      said_ = 0;
    }
  }

  Time began_;
  std::uint64_t said_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace juggler
