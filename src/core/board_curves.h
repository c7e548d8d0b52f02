#pragma once
// How a board's times change with what it has been doing: the first runs after a load or a rest
// take longer, and heat takes the clocks down. Curves of a profile's file, which twins and the
// simulator follow; no decision reads them.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/units.h"

namespace juggler {

// Of a processor. What is left of the first run's slowdown falls with the time that it computes,
// and comes back with the time that it rests, both exponentially.
struct WarmUp {
  std::int64_t slowdown_permille = 1000;  // of the very first run, of the time when warm
  Micros work{1};                         // computing after which 37 % of it is left
  Micros rest{1};                         // rest after which 63 % of it is back

  friend bool operator==(const WarmUp&, const WarmUp&) = default;
};

// Of the whole board, of first order: its temperature goes to what its power would hold it at, and
// above a limit times grow in proportion. A slower board takes less power, so that it settles.
struct Heating {
  std::int64_t rest_millicelsius = 0;      // without work, in the long run
  std::int64_t millicelsius_per_watt = 0;  // above that, by power above idle, in the long run
  Micros time{1};                          // after which 63 % of a change has come
  std::int64_t throttle_millicelsius = 0;  // from here on the clocks go down
  std::int64_t slowdown_permille_per_celsius = 0;  // above it
  std::int64_t slowdown_permille_max = 1000;

  friend bool operator==(const Heating&, const Heating&) = default;
};

struct BoardCurves {
  std::optional<Heating> heat{};
  std::map<std::string, WarmUp> warm_up{};  // by processor

  bool flat() const { return !heat.has_value() && warm_up.empty(); }
  friend bool operator==(const BoardCurves&, const BoardCurves&) = default;
};

// A board that follows its curves.
//
// requires  times that never run backwards
// thread    one, or under a lock
class BoardState {
 public:
  // Cold, and as warm as it is without work.
  BoardState(BoardCurves curves, const std::vector<Processor>& processors);

  // A variant was loaded there: its first run is a first run.
  void loaded(std::size_t processor, Time now);
  // A batch begins that takes so long when warm and cool, at such a power above idle. Returns by
  // how much longer it takes, in permille: heat counts as it is when it begins, since a batch is
  // short beside it.
  std::int64_t begin(std::size_t processor, Micros alone, Milliwatts power, Time now);
  void end(std::size_t processor, Time now);

  // Nothing where the file has no heating.
  std::optional<std::int64_t> millicelsius(Time now);
  // Whether heat holds the clocks down.
  bool throttled(Time now);

 private:
  struct Lane {
    std::optional<WarmUp> warm_up;
    double cold = 1.0;  // what is left of the first run's slowdown
    bool works = false;
    double watts = 0.0;  // above idle, while it works
  };
  void advance(Time now);
  double heat_slowdown() const;

  BoardCurves curves_;
  std::vector<Lane> lanes_;
  double celsius_ = 0.0;
  std::optional<Time> since_;  // of all this
};

}  // namespace juggler
