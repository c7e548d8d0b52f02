#include "core/lane_table.h"

#include <algorithm>
#include <utility>

namespace juggler {
namespace {

LaneState state_of(const DeviceState& device, std::size_t device_position,
                   std::size_t lane_position) {
  const Lane& lane = device.lanes[lane_position];
  LaneState state;
  state.device = static_cast<std::uint32_t>(device_position);
  state.lane = static_cast<std::uint32_t>(lane_position);
  state.facts = device.facts;
  state.costs = lane.costs;
  state.learned = lane.learned;
  state.line = lane.line;
  state.liveness = device.liveness;
  state.memory_free = device.memory_free;
  if (const Bytes all = device.facts->memory; all > Bytes{0}) {
    state.memory_free = std::min(device.memory_free.value_or(all), all);
  }
  state.link = device.link.believed();
  state.price = lane.price;
  state.flight = lane.flight();
  state.queued = lane.queued();
  const int window = device.facts->processors[lane_position].window_batches;
  state.window_full = lane.in_flight.size() >= static_cast<std::size_t>(window);
  return state;
}

}  // namespace

void LaneTable::follow(const Fleet& fleet) {
  const auto changed = fleet.changes().since(fleet_ == fleet.identity().mark() ? read_ : 0);
  if (!changed.has_value()) {
    load(fleet);
  } else {
    for (std::size_t i = 0; i < changed->size(); ++i) {
      const std::uint32_t position = (*changed)[i];
      // Most events change one device several times in a row.
      if (i + 1 < changed->size() && (*changed)[i + 1] == position) {
        continue;
      }
      const DeviceState& device = fleet.devices()[position];
      for (std::size_t l = 0; l < device.lanes.size(); ++l) {
        replace(first_lane_[position] + l, state_of(device, position, l));
      }
    }
  }
  read_ = fleet.changes().end();
}

void LaneTable::load(const Fleet& fleet) {
  if (layout_since_ < last_kept_) {
    kept_size_ += lanes_.size();
    past_layouts_.push_back({last_kept_, layout_, std::move(lanes_)});
  }
  fleet_ = fleet.identity().mark();
  first_lane_.clear();
  lanes_.clear();
  for (std::size_t d = 0; d < fleet.devices().size(); ++d) {
    const DeviceState& device = fleet.devices()[d];
    first_lane_.push_back(static_cast<std::uint32_t>(lanes_.size()));
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      lanes_.push_back(state_of(device, d, l));
    }
  }
  since_.assign(lanes_.size(), last_kept_);
  layout_since_ = last_kept_;
  changes_.add_all();
  layout_ += 1;
}

void LaneTable::replace(std::size_t position, LaneState state) {
  if (since_[position] < last_kept_) {
    kept_size_ += 1;
    past_.push_back({last_kept_, layout_, position, std::move(lanes_[position])});
    since_[position] = last_kept_;
  }
  lanes_[position] = std::move(state);
  changes_.add(static_cast<std::uint32_t>(position));
}

std::uint64_t LaneTable::keep() { return ++last_kept_; }

void LaneTable::forget_before(std::uint64_t number) {
  while (!past_.empty() && past_.front().last < number) {
    kept_size_ -= 1;
    past_.pop_front();
  }
  while (!past_layouts_.empty() && past_layouts_.front().last < number) {
    kept_size_ -= past_layouts_.front().lanes.size();
    past_layouts_.pop_front();
  }
}

std::vector<LaneState> LaneTable::kept(std::uint64_t number) const {
  const auto layout =
      std::find_if(past_layouts_.begin(), past_layouts_.end(),
                   [number](const PastLayout& past) { return past.last >= number; });
  const bool present = layout == past_layouts_.end();
  std::vector<LaneState> lanes = present ? lanes_ : layout->lanes;
  const std::uint64_t wanted = present ? layout_ : layout->layout;
  // Back in time: of each lane the oldest state that was kept under this number or a later one.
  for (auto past = past_.rbegin(); past != past_.rend() && past->last >= number; ++past) {
    if (past->layout == wanted) {
      lanes[past->position] = past->state;
    }
  }
  return lanes;
}

}  // namespace juggler
