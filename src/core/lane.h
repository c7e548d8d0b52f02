#pragma once
// What the controller believes of one processor: the batches on it, the batches that wait for it,
// what was learned of it and what its time is worth.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/lane_costs.h"
#include "core/lane_learning.h"
#include "core/prices.h"
#include "core/units.h"

namespace juggler {

// A batch on its way to, or on, a processor.
struct BatchInFlight {
  std::int64_t batch = 0;  // as in its dispatches
  std::uint32_t profile = 0;
  int open = 0;           // tasks whose results have not come
  bool any_left = false;  // some have come
  bool loads = false;     // the variant, before it runs
  Micros mean{};          // predicted when it was dispatched, as if it ran alone on its device
  Micros spread{};
  Time there{};       // when all of it is on the device
  Micros patience{};  // from when it counts on until it is overdue
  Time overdue{};
};

// A batch that waits in the controller for its processor and may still grow.
struct OpenBatch {
  std::uint64_t id = 0;
  std::uint32_t profile = 0;
  int tasks = 0;
  int hoped = 1;           // tasks expected when it was opened
  std::int64_t bytes = 0;  // of its tasks' payloads
  int priority = 0;        // the highest of its tasks'
  Time due{};              // must have been computed by then: the earliest of its tasks
  Time opened{};
  std::int64_t opened_at = 0;  // of the fleet's arrivals
  bool patient = false;        // none of its tasks minds being held back while others can join
};

// In the order in which the batches will run: the most urgent first, then by due time, but for
// those who let others go first (Timeline::insert()).
using Line = std::vector<OpenBatch>;

// A task of an open batch.
struct Member {
  std::uint64_t task = 0;  // the controller's own number
  int priority = 0;
  Time due;
  bool patient = false;
  std::int64_t bytes = 0;      // of its payload
  std::int64_t joined_at = 0;  // of the fleet's arrivals
};

// What may still run on a processor although nobody counts on it any more: its attempts were given
// up, or another controller began them.
struct PowerHold {
  Milliwatts power;
  Time until;
};

struct Lane {
  std::shared_ptr<const LaneCosts> costs;      // of its profiles
  std::shared_ptr<const LaneLearned> learned;  // replaced, never changed: decisions keep them
  std::shared_ptr<const Line> line;            // likewise; never null

  std::deque<BatchInFlight> in_flight;  // in the order of dispatch
  Time head_since;                      // when the first of them can have begun
  // The tasks of the open batches, by batch id.
  std::vector<std::pair<std::uint64_t, std::vector<Member>>> members;

  ShadowPrice price;  // what a unit of its time is worth to the tasks that could not have it
  std::uint64_t completed = 0;
  PowerHold power_hold;
  Time wake = Time::never();  // when its line has to be looked at again; a timer runs then

  Lane() : line(std::make_shared<const Line>()) {}

  // How long what is in flight still takes: the sum of the means and of the squared spreads. A
  // result may be on its way back for as long as `back`.
  struct Backlog {
    Micros mean;
    std::int64_t variance_us2 = 0;
  };
  // `slowdown_permille`: by the other processors of its device (DeviceState::slowdown_permille()).
  Backlog backlog(Time now, Micros back, std::int64_t slowdown_permille) const {
    return flight(slowdown_permille).backlog(now, back);
  }
  // What of it does not change with time alone.
  struct Flight {
    bool any = false;
    Time head_since;
    Micros head;      // the mean of the first batch
    Micros rest;      // of all others
    Time not_before;  // when the last of them is computed at the earliest, whatever the first does:
                      // each has to be on the device before it can run
    std::int64_t variance_us2 = 0;

    Backlog backlog(Time now, Micros back) const;
  };
  Flight flight(std::int64_t slowdown_permille) const;

  // Mean and spread of a batch, corrected by what was learned.
  BatchCost expected(std::size_t profile, int tasks, std::int64_t slowdown_permille) const;
  // Tasks in flight and in line.
  std::uint64_t queued() const;
  // What it may take above idle, at the board's input, for all that is in flight, in line or held:
  // a processor runs one batch after the other, so the most of any. What nobody knows counts not.
  Milliwatts power() const;

  // Adds a task to an open batch (0: a new one with this id), which stands at this position then:
  // of the line as it is, and not behind where the batch stood.
  void join(std::uint64_t batch, const OpenBatch& fresh, const Member& member,
            std::size_t position);
  // Moves the batch at position `from` back, so that it stands at `to`.
  void move_back(std::size_t from, std::size_t to);
  // Takes a task out; an empty batch leaves the line.
  void leave(std::uint64_t batch, std::uint64_t task);
  // Takes a whole batch out of the line.
  std::vector<Member> take(std::uint64_t batch);
  const std::vector<Member>& members_of(std::uint64_t batch) const;

 private:
  std::size_t position_of(std::uint64_t batch) const;  // in `members`
  void work_out(std::uint64_t batch);  // its entry of the line, anew from its members
};

// Above this a time is too long for any deadline.
inline constexpr Micros kMeanMax = seconds(3600);

// The corrected cost of a batch, with no load where the variant is there: what predictions use.
// `slowdown_permille`: by other processors of its device.
BatchCost corrected(const BatchCost& cost, const LaneLearned& learned, std::size_t profile,
                    std::int64_t slowdown_permille);

// The finish at which a sum of times is predicted: z standard deviations above its mean.
Micros margin_of(std::int64_t variance_us2, std::int64_t z_permille);
// The same for one time of that spread.
Micros margin_of_one(Micros spread, std::int64_t z_permille);

}  // namespace juggler
