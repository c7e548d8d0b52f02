#pragma once
// A warning that comes again and again, as that of a broker which is not there, without filling the
// log.

#include <cstdint>
#include <string>
#include <utility>

namespace juggler {

class RepeatedWarning {
 public:
  // How often this text has come in a row, where that is to be said: the first time, the fourth,
  // the sixteenth, and so on. Else 0.
  std::uint64_t to_say(std::string text) {
    if (text != last_) {
      last_ = std::move(text);
      times_ = 0;
      next_ = 1;
    }
    times_ += 1;
    if (times_ < next_) {
      return 0;
    }
    next_ *= 4;
    return times_;
  }

  // What comes next is new, whatever it says.
  void forget() {
    times_ = 0;
    next_ = 1;
  }

 private:
  std::string last_;
  std::uint64_t times_ = 0;
  std::uint64_t next_ = 1;
};

// "; 16 times now", or nothing for the first time.
inline std::string times_text(std::uint64_t times) {
  return times > 1 ? "; " + std::to_string(times) + " times now" : std::string();
}

}  // namespace juggler
