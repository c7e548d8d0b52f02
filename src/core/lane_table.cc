#include "core/lane_table.h"

#include <algorithm>
#include <utility>

namespace juggler {
namespace {

Milliwatts power_of(const DeviceState& device) {
  Milliwatts power = device.power_at_rest();
  for (const Lane& lane : device.lanes) {
    power += lane.power();
  }
  return power;
}

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
  state.battery_low = device.battery_low;
  state.power = lane.power();
  state.device_power = power_of(device);
  state.device_power_rest = device.power_at_rest();
  state.link = device.link.believed();
  state.price = lane.price;
  state.slowdown_permille = device.slowdown_permille(lane);
  state.flight = lane.flight(state.slowdown_permille);
  state.queued = lane.queued();
  const int window = device.facts->processors[lane_position].window_batches;
  state.window_full = lane.in_flight.size() >= static_cast<std::size_t>(window);
  return state;
}

}  // namespace

FleetPower power_of(std::span<const LaneState> lanes) {
  FleetPower power;
  for (const LaneState& state : lanes) {
    power.add(state);
  }
  return power;
}

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

std::vector<LaneState> LaneTable::states_of(const Fleet& fleet) {
  std::vector<LaneState> states;
  for (std::size_t d = 0; d < fleet.devices().size(); ++d) {
    const DeviceState& device = fleet.devices()[d];
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      states.push_back(state_of(device, d, l));
    }
  }
  return states;
}

void LaneTable::load(const Fleet& fleet) {
  if (layout_since_ < last_kept_) {
    kept_size_ += lanes_.size();
    past_layouts_.push_back({last_kept_, layout_, std::move(lanes_)});
  }
  fleet_ = fleet.identity().mark();
  first_lane_.clear();
  std::uint32_t first = 0;
  for (const DeviceState& device : fleet.devices()) {
    first_lane_.push_back(first);
    first += static_cast<std::uint32_t>(device.lanes.size());
  }
  lanes_ = states_of(fleet);
  power_ = power_of(lanes_);
  since_.assign(lanes_.size(), last_kept_);
  layout_since_ = last_kept_;
  changes_.add_all();
  layout_ += 1;
}

void LaneTable::replace(std::size_t position, LaneState state) {
  power_.take(lanes_[position]);
  power_.add(state);
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
