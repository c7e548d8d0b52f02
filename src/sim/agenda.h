#pragma once
// What happens next in virtual time: a queue of wake-ups. Time stands still while one runs.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/units.h"

namespace juggler::sim {

// Whoever can be woken. It outlives every wake-up that it has asked for; a wake-up that has become
// pointless is ignored by the one who asked, never taken out of the agenda.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  virtual void wake(std::uint64_t what) = 0;
};

// A binary heap of plain entries: nothing is allocated for an event. Ties run in the order in which
// they were asked for, so that a run is the same everywhere.
class Agenda {
 public:
  Time now() const { return now_; }
  bool empty() const { return heap_.empty(); }
  Time next() const { return heap_.empty() ? Time::never() : heap_.front().at; }
  std::uint64_t events() const { return events_; }

  // Wakes `sleeper` at `when`, or now if that is past.
  void at(Time when, Sleeper& sleeper, std::uint64_t what = 0) {
    heap_.push_back({std::max(when, now_), ++last_, &sleeper, what});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  // Runs the next entry. requires  there is one
  void run_one() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Entry entry = heap_.back();
    heap_.pop_back();
    now_ = entry.at;
    events_ += 1;
    entry.sleeper->wake(entry.what);
  }

  // Runs all that is due until then, and lets the time pass.
  void run_until(Time until) {
    while (next() <= until) {
      run_one();
    }
    now_ = std::max(now_, until);
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t number = 0;
    Sleeper* sleeper = nullptr;
    std::uint64_t what = 0;
  };
  static bool later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.number > b.number;
  }

  std::vector<Entry> heap_;
  Time now_{};
  std::uint64_t last_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace juggler::sim
