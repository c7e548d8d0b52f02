#pragma once
// What decisions read of every processor, kept from one decision to the next: only what has changed
// in the fleet since is read again. And what earlier decisions saw, so that they can be explained:
// not a copy of the fleet for each, but every state that has been replaced since.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/change_log.h"
#include "core/fleet.h"
#include "core/lane.h"
#include "core/link.h"
#include "core/units.h"

namespace juggler {

// One processor, whatever the task and the moment. Holds the immutable parts by reference count.
struct LaneState {
  std::uint32_t device = 0;  // positions in the fleet
  std::uint32_t lane = 0;
  std::shared_ptr<const DeviceFacts> facts;
  std::shared_ptr<const LaneCosts> costs;
  std::shared_ptr<const LaneLearned> learned;
  std::shared_ptr<const Line> line;
  Liveness liveness = Liveness::Live;
  std::optional<Bytes> memory_free;
  bool battery_low = false;
  Milliwatts power;              // Lane::power()
  Milliwatts device_power;       // of the whole board: at rest, and all its processors
  Milliwatts device_power_rest;  // at rest
  Link link;
  ShadowPrice price;
  std::int64_t slowdown_permille = kSlowdownMin;  // by the device's other processors
  Lane::Flight flight;
  std::uint64_t queued = 0;  // tasks in flight and in line
  bool window_full = false;

  Micros network() const { return link.round_trip; }
  const Variant& variant_of(std::size_t profile) const {
    return facts->variants[(*costs)[profile].variant];
  }
};

// What a fleet takes, as far as it is known, at the boards' inputs.
struct FleetPower {
  Milliwatts now;   // with all that is in flight and in line
  Milliwatts rest;  // with nothing

  void add(const LaneState& state) {
    if (state.lane == 0) {
      now += state.device_power;
      rest += state.device_power_rest;
    }
  }
  void take(const LaneState& state) {
    if (state.lane == 0) {
      now -= state.device_power;
      rest -= state.device_power_rest;
    }
  }
  friend bool operator==(const FleetPower&, const FleetPower&) = default;
};
FleetPower power_of(std::span<const LaneState> lanes);

class LaneTable {
 public:
  // Takes over what has changed in the fleet.
  void follow(const Fleet& fleet);

  // Of a fleet, whatever was kept.
  static std::vector<LaneState> states_of(const Fleet& fleet);

  // By device and processor, in the order of ids.
  std::span<const LaneState> lanes() const { return lanes_; }
  // Their sum, kept up with them.
  const FleetPower& power() const { return power_; }
  // Of positions among `lanes`.
  const ChangeLog& changes() const { return changes_; }
  // How often all were replaced: until then a lane keeps its facts and its costs.
  std::uint64_t layout() const { return layout_; }

  // Keeps the present states until forget_before() is told a later number than is returned.
  std::uint64_t keep();
  void forget_before(std::uint64_t number);
  // The states that were kept under that number.
  std::vector<LaneState> kept(std::uint64_t number) const;
  // How many replaced states are held for that.
  std::size_t kept_size() const { return kept_size_; }

 private:
  void load(const Fleet& fleet);
  void replace(std::size_t position, LaneState state);

  // A state that was replaced, and one state of the whole table.
  struct Past {
    std::uint64_t last = 0;  // the last number under which it was kept
    std::uint64_t layout = 0;
    std::size_t position = 0;
    LaneState state;
  };
  struct PastLayout {
    std::uint64_t last = 0;
    std::uint64_t layout = 0;
    std::vector<LaneState> lanes;
  };

  Identity::Mark fleet_;
  std::uint64_t read_ = 0;                 // of the fleet's changes
  std::vector<std::uint32_t> first_lane_;  // of each device
  std::vector<LaneState> lanes_;
  // The last number under which anything was kept when each state came, and when all did.
  std::vector<std::uint64_t> since_;
  std::uint64_t layout_since_ = 0;
  FleetPower power_;
  ChangeLog changes_;
  std::uint64_t layout_ = 0;

  std::uint64_t last_kept_ = 0;
  std::deque<Past> past_;  // in the order in which they were replaced
  std::deque<PastLayout> past_layouts_;
  std::size_t kept_size_ = 0;
};

}  // namespace juggler
