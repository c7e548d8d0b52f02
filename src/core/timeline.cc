#include "core/timeline.h"

#include <algorithm>

namespace juggler {

void Timeline::build(const Line& line, const LaneCosts& costs, const LaneLearned& learned,
                     Size size, const Start& start, int priority_min) {
  start_ = start;
  slots_.clear();
  Time end = start.free_at;
  Time there = start.link_free_at;
  std::int64_t variance_us2 = start.variance_us2;
  for (const OpenBatch& batch : line) {
    Slot slot;
    slot.counts = batch.priority >= priority_min;
    slot.priority = batch.priority;
    slot.due = batch.due;
    if (slot.counts) {
      const int tasks = size == Size::AsHoped ? batch.hoped : batch.tasks;
      slot.cost = corrected(costs[batch.profile].of(tasks), learned, batch.profile);
      slot.transfer = start.pace.transfer(batch.bytes * tasks / std::max(batch.tasks, 1));
      there = there + slot.transfer;
      end = std::max(end, there) + slot.cost.takes();
      variance_us2 += slot.cost.variance_us2();
    }
    slot.there = there;
    slot.end = end;
    slot.variance_us2 = variance_us2;
    slot.slack = batch.due - (end + margin_of(variance_us2, kPlanZPermille));
    slots_.push_back(slot);
  }
}

bool Timeline::goes_before(int priority, Time due, const Slot& slot) {
  return priority != slot.priority ? priority > slot.priority : due < slot.due;
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

Timeline::Fit Timeline::insert(int priority, Time due, const BatchCost& cost,
                               std::int64_t bytes) const {
  std::size_t position = slots_.size();
  while (position > 0 && goes_before(priority, due, slots_[position - 1])) {
    position -= 1;
  }
  const Micros transfer = start_.pace.transfer(bytes);
  const Time before = start_before(position);
  Fit fit;
  fit.end = std::max(before, there_before(position) + transfer) + cost.takes();
  fit.end_late =
      fit.end + margin_of(variance_before(position) + cost.variance_us2(), kPlanZPermille);
  fit.in_time = fit.end_late <= due &&
                delay_fits(position, slots_.size(), std::max(fit.end - before, transfer));
  return fit;
}

Timeline::Fit Timeline::join(std::size_t position, int priority, Time due, const BatchCost& grown,
                             std::int64_t bytes) const {
  const Slot& slot = slots_[position];
  const Micros more = start_.pace.transfer(bytes);
  const Micros transfer = slot.transfer + more;
  std::size_t first = position;  // where the batch will stand
  const int urgency = std::max(priority, slot.priority);
  while (first > 0 && goes_before(urgency, std::min(due, slot.due), slots_[first - 1])) {
    first -= 1;
  }
  const Time before = start_before(first);
  Fit fit;
  fit.end = std::max(before, there_before(first) + transfer) + grown.takes();
  fit.end_late = fit.end + margin_of(variance_before(first) + grown.variance_us2(), kPlanZPermille);
  fit.in_time =
      fit.end_late <= std::min(due, slot.due) &&
      delay_fits(first, position, std::max(fit.end - before, transfer)) &&
      delay_fits(position + 1, slots_.size(), std::max(grown.takes() - slot.cost.takes(), more));
  return fit;
}

std::size_t Timeline::first_late() const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].counts && slots_[i].end > slots_[i].due) {
      return i;
    }
  }
  return slots_.size();
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
