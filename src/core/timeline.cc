#include "core/timeline.h"

#include <algorithm>

namespace juggler {

void Timeline::build(const Line& line, const LaneCosts& costs, const LaneLearned& learned,
                     Size size, Time free_at, std::int64_t variance_us2, int priority_min) {
  free_at_ = free_at;
  variance_us2_ = variance_us2;
  slots_.clear();
  Time end = free_at;
  for (const OpenBatch& batch : line) {
    Slot slot;
    slot.counts = batch.priority >= priority_min;
    slot.priority = batch.priority;
    slot.due = batch.due;
    if (slot.counts) {
      const int tasks = size == Size::AsHoped ? batch.hoped : batch.tasks;
      slot.cost = corrected(costs[batch.profile].of(tasks), learned, batch.profile);
      end = end + slot.cost.takes();
      variance_us2 += slot.cost.spread.count * slot.cost.spread.count;
    }
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
  return position == 0 ? free_at_ : slots_[position - 1].end;
}

std::int64_t Timeline::variance_before(std::size_t position) const {
  return position == 0 ? variance_us2_ : slots_[position - 1].variance_us2;
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

Timeline::Fit Timeline::insert(int priority, Time due, const BatchCost& cost) const {
  std::size_t position = slots_.size();
  while (position > 0 && goes_before(priority, due, slots_[position - 1])) {
    position -= 1;
  }
  Fit fit;
  fit.end = start_before(position) + cost.takes();
  fit.variance_us2 = variance_before(position) + cost.spread.count * cost.spread.count;
  fit.in_time = fit.end_late() <= due && delay_fits(position, slots_.size(), cost.takes());
  return fit;
}

Timeline::Fit Timeline::join(std::size_t position, int priority, Time due,
                             const BatchCost& grown) const {
  const Slot& slot = slots_[position];
  const Micros longer = grown.takes() - slot.cost.takes();
  std::size_t first = position;  // where the batch will stand
  const int urgency = std::max(priority, slot.priority);
  while (first > 0 && goes_before(urgency, std::min(due, slot.due), slots_[first - 1])) {
    first -= 1;
  }
  Fit fit;
  fit.end = start_before(first) + grown.takes();
  fit.variance_us2 = variance_before(first) + grown.spread.count * grown.spread.count;
  fit.in_time = fit.end_late() <= std::min(due, slot.due) &&
                delay_fits(first, position, grown.takes()) &&
                delay_fits(position + 1, slots_.size(), longer);
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
      limit = std::min(limit, slots_[i].due) - cost.takes() -
              margin_of(cost.spread.count * cost.spread.count, kPlanZPermille);
    }
  }
  return free_at_ + slots_[position].cost.takes() <= limit;
}

Time Timeline::latest_start(std::size_t position, std::int64_t z_permille) const {
  Time limit = Time::never();
  for (std::size_t i = slots_.size(); i-- > position;) {
    const BatchCost& cost = slots_[i].cost;
    const Micros takes =
        cost.takes() + margin_of(cost.spread.count * cost.spread.count, z_permille);
    limit = std::min(limit, slots_[i].due) - takes;
  }
  return limit;
}

}  // namespace juggler
