#pragma once
// When the batches in a processor's line will have been computed, how much later each could be,
// and whether one more, or a larger one, still leaves all of them in time.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/lane.h"
#include "core/link.h"
#include "core/units.h"

namespace juggler {

// Predictions are made at this many standard deviations above the mean: the 99th percentile of a
// normal distribution. A deadline is missed by the tail, not by the mean.
inline constexpr std::int64_t kPlanZPermille = 2330;

class Timeline {
 public:
  // What a batch would find: its end by the mean, the late estimate of that, and whether it and
  // all that wait behind it are predicted to be in time.
  struct Fit {
    Time end;
    Time end_late;  // at kPlanZPermille
    bool in_time = false;
    std::size_t position = 0;  // where in line it would stand
  };

  // From when the processor is free. Batches below `priority_min` are left out: they would be sent
  // away for the task in question.
  // An open batch counts as it is, or as large as it is hoped to become: room for those who will
  // join is kept, or a busy line would fill up with small batches.
  enum class Size { AsItIs, AsHoped };
  // From when on.
  struct Start {
    Time free_at;                                   // the processor, by the mean
    std::int64_t variance_us2 = 0;                  // of that, and of the way
    Pace pace;                                      // of its link
    Time link_free_at;                              // when what is on its way now is there
    std::int64_t slowdown_permille = kSlowdownMin;  // by the device's other processors
  };
  void build(const Line& line, const LaneCosts& costs, const LaneLearned& learned, Size size,
             const Start& start, int priority_min);

  // A new batch of that urgency that is due then, with payloads of so many bytes. It stands before
  // those who are less urgent or due later; but where one of them would be late for that, and it
  // has the time, it lets them go first.
  Fit insert(int priority, Time due, const BatchCost& cost, std::int64_t bytes) const;
  // One more task in the batch at this position of the line, which then costs `grown`.
  // The batch may move ahead in line by the same rule.
  Fit join(std::size_t position, int priority, Time due, const BatchCost& grown,
           std::int64_t bytes) const;

  // The first position whose batch is predicted to miss its due time by the mean; the line's size
  // if there is none.
  std::size_t first_late() const;
  // The position of the last batch of at least this priority that is not predicted to be in time;
  // 0 where none is.
  std::size_t last_short(int priority_min) const;
  // From when the processor is free until all in line will have been computed.
  Micros length() const { return slots_.empty() ? Micros{0} : slots_.back().end - start_.free_at; }
  Time end_of(std::size_t position) const { return slots_[position].end; }
  // Whether the batch at this position can run before all others, and these still be in time.
  bool may_overtake(std::size_t position) const;
  // When the batch at this position has to begin at the latest, so that it and those behind it are
  // in time: `z` standard deviations of each before its due time.
  Time latest_start(std::size_t position, std::int64_t z_permille) const;

 private:
  struct Slot {
    BatchCost cost;
    int priority = 0;
    Time due;
    Micros transfer;  // of its payloads
    Time there;       // when they are on the device
    Time end;
    std::int64_t variance_us2 = 0;  // of the end

    // How long it keeps those behind it from their turn, at most.
    Micros holds() const { return std::max(cost.takes(), transfer); }
    Micros slack;  // due less the late end
    bool counts = true;
  };
  // A batch that is to stand in line; `was`: where it stands, the line's size if nowhere.
  struct Arrival {
    int priority = 0;
    Time due;
    BatchCost cost;
    Micros transfer;
    std::size_t was = 0;
  };
  Fit place(const Arrival& arrival) const;
  Fit stand(const Arrival& arrival, std::size_t position) const;
  Time start_before(std::size_t position) const;
  Time there_before(std::size_t position) const;
  std::int64_t variance_before(std::size_t position) const;
  bool delay_fits(std::size_t from, std::size_t to, Micros delay) const;

  Start start_;
  std::vector<Slot> slots_;
};

}  // namespace juggler
