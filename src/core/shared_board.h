#pragma once
// The processors of one board that compute at the same time and slow each other down: which of them
// work, and how far each has come. Used by what runs there (the consumer, which says how much of a
// time was the others', twins and the simulator, which take that time) and by predictions.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/units.h"

namespace juggler {

// How much longer a batch takes on a processor beside those of the device for which `works(index)`
// holds, in permille. Of several others the factors multiply, which nobody has measured, up to the
// most that any may be.
template <class Works>
std::int64_t slowdown_of(const std::vector<Processor>& processors, std::size_t index, Works works) {
  std::int64_t permille = kSlowdownMin;
  for (const Slowdown& slowdown : processors[index].slowed_by) {
    for (std::size_t other = 0; other < processors.size(); ++other) {
      if (processors[other].id == slowdown.by && works(other)) {
        permille = std::min(permille * slowdown.permille / 1000, kSlowdownMax);
      }
    }
  }
  return permille;
}

// How far the batches have come that run on the processors of a board.
//
// Progress counts in time alone: where another processor slows a batch down by half as much again,
// 3 us of the clock are 2 us of it. Exact whenever the others begin and end.
// thread   one, or under a lock
class SharedBoard {
 public:
  explicit SharedBoard(const std::vector<Processor>& processors);

  // Whether any processor slows any other: else a batch takes what it takes.
  bool shared() const { return shared_; }

  // A batch begins on a processor that has none, or ends there.
  //
  // requires  times that never run backwards
  void begin(std::size_t processor, Time now);
  void end(std::size_t processor, Time now);
  bool works(std::size_t processor) const { return runs_[processor].works; }

  // How far its batch has come: what that would have taken alone.
  //
  // requires  it works
  Micros progress(std::size_t processor, Time now) const;
  // How long ago its batch of that whole time alone was done, at its slowdown now; 0: it is not.
  //
  // requires  it works
  Micros overdue(std::size_t processor, Micros alone, Time now) const;
  // When its batch of that whole time alone will be done, if none of the others begins or ends.
  //
  // requires  it works
  Time done_at(std::size_t processor, Micros alone, Time now) const;

 private:
  struct Run {
    bool works = false;
    std::int64_t nanos = 0;        // progress when it was last worked out
    std::int64_t permille = 1000;  // slowdown since then
    std::vector<std::pair<std::size_t, std::int64_t>> slowed_by;
  };
  std::int64_t nanos_of(const Run& run, Time now) const;
  void advance(Time now);
  void work_out();

  std::vector<Run> runs_;
  Time since_;  // when all of them were last worked out
  bool shared_ = false;
};

}  // namespace juggler
