#include "core/timeline.h"

#include <algorithm>

namespace juggler {
namespace {

// Who lets somebody less urgent go first keeps at least this part of its own time. At a half, the
// simulated fleets' busiest processors became so full that who had little time found no room on
// them; from 700 to 850 they differed less than their seeds.
constexpr std::int64_t kKeptPermille = 700;

}  // namespace

void Timeline::build(const Line& line, const LaneCosts& costs, const LaneLearned& learned,
                     Size size, const Start& start, int priority_min) {
  start_ = start;
  slots_.clear();
  slots_.reserve(line.size());
  Time end = start.free_at;
  Time there = start.link_free_at;
  std::int64_t variance_us2 = start.variance_us2;
  for (const OpenBatch& batch : line) {
    Slot& slot = slots_.emplace_back();
    slot.counts = batch.priority >= priority_min;
    slot.priority = batch.priority;
    slot.due = batch.due;
    if (slot.counts) {
      const int tasks = size == Size::AsHoped ? batch.hoped : batch.tasks;
      slot.cost = corrected(costs[batch.profile].of(tasks), learned, batch.profile,
                            start.slowdown_permille);
      slot.transfer = start.pace.transfer(batch.bytes * tasks / std::max(batch.tasks, 1));
      there = there + slot.transfer;
      end = std::max(end, there) + slot.cost.takes();
      variance_us2 += slot.cost.variance_us2();
    }
    slot.there = there;
    slot.end = end;
    slot.variance_us2 = variance_us2;
    slot.slack = batch.due - (end + margin_of(variance_us2, kPlanZPermille));
  }
}

Time Timeline::start_before(std::size_t position) const {
  return position == 0 ? start_.free_at : slots_[position - 1].end;
}

Time Timeline::there_before(std::size_t position) const {
  return position == 0 ? start_.link_free_at : slots_[position - 1].there;
}

std::int64_t Timeline::variance_before(std::size_t position) const {
  return position == 0 ? start_.variance_us2 : slots_[position - 1].variance_us2;
}

// Whether the batches in [from, to) can all be later by `delay`. One that is late by the mean will
// be sent away: it is no reason to refuse work. One that is only likely to be in time is.
bool Timeline::delay_fits(std::size_t from, std::size_t to, Micros delay) const {
  for (std::size_t i = from; i < to; ++i) {
    const bool late_anyway = slots_[i].end > slots_[i].due;
    if (slots_[i].counts && !late_anyway && delay > Micros{0} && slots_[i].slack < delay) {
      return false;
    }
  }
  return true;
}

// A batch that stands in line already delays those behind it by what it has grown.
Timeline::Fit Timeline::stand(const Arrival& arrival, std::size_t position) const {
  const Time before = start_before(position);
  Fit fit;
  fit.position = position;
  fit.end = std::max(before, there_before(position) + arrival.transfer) + arrival.cost.takes();
  fit.end_late =
      fit.end + margin_of(variance_before(position) + arrival.cost.variance_us2(), kPlanZPermille);
  const bool new_in_line = arrival.was == slots_.size();
  fit.in_time =
      fit.end_late <= arrival.due &&
      delay_fits(position, arrival.was, std::max(fit.end - before, arrival.transfer)) &&
      (new_in_line || delay_fits(arrival.was + 1, slots_.size(),
                                 std::max(arrival.cost.takes() - slots_[arrival.was].cost.takes(),
                                          arrival.transfer - slots_[arrival.was].transfer)));
  return fit;
}

Timeline::Fit Timeline::place(const Arrival& arrival) const {
  const auto goes_before = [&](const Slot& slot) {
    return arrival.priority != slot.priority ? arrival.priority > slot.priority
                                             : arrival.due < slot.due;
  };
  std::size_t usual = arrival.was;
  while (usual > 0 && goes_before(slots_[usual - 1])) {
    usual -= 1;
  }
  const Fit first = stand(arrival, usual);
  const Micros kept = (arrival.due - start_.free_at) * kKeptPermille / 1000;
  Fit fit = first;
  for (std::size_t i = usual + 1;
       !fit.in_time && i <= arrival.was && arrival.due - fit.end_late >= kept; ++i) {
    fit = stand(arrival, i);
  }
  return fit.in_time && arrival.due - fit.end_late >= kept ? fit : first;
}

Timeline::Fit Timeline::insert(int priority, Time due, const BatchCost& cost,
                               std::int64_t bytes) const {
  return place({priority, due, cost, start_.pace.transfer(bytes), slots_.size()});
}

Timeline::Fit Timeline::join(std::size_t position, int priority, Time due, const BatchCost& grown,
                             std::int64_t bytes) const {
  const Slot& slot = slots_[position];
  return place({std::max(priority, slot.priority), std::min(due, slot.due), grown,
                slot.transfer + start_.pace.transfer(bytes), position});
}

std::size_t Timeline::first_late() const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].counts && slots_[i].end > slots_[i].due) {
      return i;
    }
  }
  return slots_.size();
}

std::size_t Timeline::last_short(int priority_min) const {
  for (std::size_t i = slots_.size(); i-- > 0;) {
    if (slots_[i].priority >= priority_min && slots_[i].slack < Micros{0}) {
      return i;
    }
  }
  return 0;
}

bool Timeline::may_overtake(std::size_t position) const {
  Time limit = Time::never();
  for (std::size_t i = slots_.size(); i-- > 0;) {
    if (i != position) {
      const BatchCost& cost = slots_[i].cost;
      limit = std::min(limit, slots_[i].due) - slots_[i].holds() -
              margin_of_one(cost.spread, kPlanZPermille);
    }
  }
  return start_.free_at + slots_[position].holds() <= limit;
}

Time Timeline::latest_start(std::size_t position, std::int64_t z_permille) const {
  Time limit = Time::never();
  for (std::size_t i = slots_.size(); i-- > position;) {
    const BatchCost& cost = slots_[i].cost;
    const Micros takes = cost.takes() + margin_of_one(cost.spread, z_permille);
    limit = std::min(limit, slots_[i].due) - takes;
  }
  return limit;
}

}  // namespace juggler
