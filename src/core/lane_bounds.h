#pragma once
// For tasks of one kind: of every processor, the least that a task could cost there, and ask there,
// as a tree of minima. The search for the cheapest placement (core/cheapest.h) looks at processors
// by it, and stops where no other can be cheaper.
//
// A bound is valid for every task of the kind and for some time to come: it counts the price that
// the processor's time will have fallen to by then. It never counts what only makes a task dearer
// or later, as a queue does, or another processor of the device. Bounds decide nothing: what they
// let through is judged.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/candidates.h"
#include "core/lane_table.h"
#include "core/objective.h"
#include "core/units.h"

namespace juggler {

// What no bound reaches: no placement at all. And what is added to costs without a known energy,
// which come after all others.
inline constexpr std::int64_t kNoBound = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kEnergyUnknown = std::int64_t{1} << 61U;

// Of what a task is and how much time it has, all that its bounds depend on: times and expected
// company by powers of two.
struct TaskKind {
  std::string_view model;
  bool allow_synthetic = false;
  bool needs_name = false;  // of a variant, for its payload
  MilliPercent floor;       // the least accuracy of any variant that has as much as it wants
  bool deadline_stated = true;
  int time_bits = 0;  // of the microseconds until the deadline
  int come_bits = 0;  // of the tasks that will come until then

  friend bool operator==(const TaskKind&, const TaskKind&) = default;
};

// `floor`: as above. `arrival_gap_us`: between tasks that come.
TaskKind kind_of(const TaskView& task, MilliPercent floor, Time now, std::int64_t arrival_gap_us);

// The limits within which a bound is worked out: of one task at one moment, or of a kind.
struct BoundTerms {
  const Objective& objective;
  Micros time;            // until the deadline, at most
  std::int64_t come = 0;  // tasks that come until then, at most
  bool deadline_stated = true;
};

struct Bound {
  std::int64_t cost = kNoBound;  // with kEnergyUnknown where it is
  Micros finish;                 // from now, of what costs that
  std::int64_t ask = kNoBound;

  friend bool operator==(const Bound&, const Bound&) = default;
};

// What a variant on a processor costs and asks at least, but for the price of the time it takes.
struct Offer {
  std::uint32_t profile = 0;
  Micros finish;             // at the earliest, from now
  std::int64_t opening = 0;  // a new batch
  Micros opening_takes;
  std::int64_t joining = kNoBound;  // an open one
  Micros joining_takes;
  std::int64_t asking = 0;
  Micros asking_takes;

  Bound at(std::int64_t price_mw) const;
};

// Nothing where the variant is too slow.
std::optional<Offer> offer_of(const LaneState& lane, std::size_t profile, const BoundTerms& terms);

class LaneBounds {
 public:
  explicit LaneBounds(const TaskKind& kind) : kind_(kind), model_(kind.model) {
    kind_.model = model_;
  }
  // Neither copied nor moved: the kind points to the model.
  LaneBounds(const LaneBounds&) = delete;
  LaneBounds& operator=(const LaneBounds&) = delete;

  const TaskKind& kind() const { return kind_; }
  // Takes over what has changed in the table. The bounds hold from now until the next time.
  void follow(const LaneTable& table, const Question& question);

  // The tree: node 1 is the root, 2n and 2n+1 are the children of n, and leaves() is the first
  // leaf, that of the first processor.
  const Bound& node(std::size_t position) const { return nodes_[position]; }
  std::size_t leaves() const { return nodes_.size() / 2; }
  // Of the variants there that fit tasks of the kind.
  const std::vector<Offer>& offers(std::size_t lane) const { return lanes_[lane].offers; }

 private:
  struct Lane {
    std::vector<std::uint32_t> fitting;  // variants
    std::vector<Offer> offers;
    Time valid_until;
    // As noted among those whose price falls. In the past: it is not.
    Time falls_until{std::numeric_limits<std::int64_t>::min()};
    std::uint64_t seen = 0;  // the round in which it was worked out last: once is enough
  };
  struct Falling {
    Time until;
    std::uint32_t lane = 0;
  };
  static bool ends_later(const Falling& a, const Falling& b) { return a.until > b.until; }

  void load(const LaneTable& table, const TaskView& task);
  void work_out(const LaneTable& table, std::size_t position, const Question& question);
  void count_price(const LaneState& state, std::size_t position, const Question& question);
  void wait_for(std::size_t position);
  void set_leaf(std::size_t position, const Bound& bound);
  Micros holds(const Question& question, std::size_t position) const;

  TaskKind kind_;
  std::string model_;
  std::uint64_t layout_ = 0;
  std::uint64_t read_ = 0;  // of the table's changes
  std::uint64_t round_ = 0;
  std::vector<Lane> lanes_;
  std::vector<Bound> nodes_;
  std::vector<Falling> falling_;  // a heap: what ends first is the first
};

}  // namespace juggler
