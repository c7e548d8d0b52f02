#include "core/fleet.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/names.h"
#include "core/shared_board.h"

namespace juggler {
namespace {

constexpr std::array<Named<Liveness>, 7> kLiveness{{{Liveness::Live, "live"},
                                                    {Liveness::Joining, "joining"},
                                                    {Liveness::Suspect, "suspect"},
                                                    {Liveness::Lost, "lost"},
                                                    {Liveness::Gone, "gone"},
                                                    {Liveness::Draining, "draining"},
                                                    {Liveness::Aside, "aside"}}};

template <class Devices>
auto lower_bound_by_id(Devices& devices, std::string_view id) {
  return std::lower_bound(devices.begin(), devices.end(), id,
                          [](const DeviceState& device, std::string_view wanted) {
                            return std::string_view(device.facts->id) < wanted;
                          });
}

// Of one of the device's own lanes: a copy has no place among them.
std::size_t position_in(const std::vector<Lane>& lanes, const Lane& lane) {
  const auto at =
      std::find_if(lanes.begin(), lanes.end(), [&lane](const Lane& own) { return &own == &lane; });
  JUGGLER_CHECK(at != lanes.end(), "a lane of another device, or a copy");
  return static_cast<std::size_t>(at - lanes.begin());
}

}  // namespace

std::string_view to_string(Liveness liveness) { return name_of(kLiveness, liveness); }

Milliwatts DeviceState::power_at_rest() const {
  if (liveness == Liveness::Gone) {
    return {};
  }
  return facts->idle.value_or(Milliwatts{0}) * facts->to_board_input.factor_permille / 1000;
}

std::int64_t DeviceState::slowdown_permille(const Lane& lane) const {
  const std::size_t index = position_in(lanes, lane);
  return slowdown_of(facts->processors, index, [this](std::size_t other) {
    return !lanes[other].in_flight.empty() || !lanes[other].line->empty();
  });
}

std::int64_t DeviceState::slowdown_permille_max(const Lane& lane) const {
  const std::size_t index = position_in(lanes, lane);
  return slowdown_of(facts->processors, index, [](std::size_t /*other*/) { return true; });
}

void DeviceState::fade(Time now, Micros after) {
  link.fade(now);
  for (Lane& lane : lanes) {
    if (lane.learned->fades(now, after)) {
      auto faded = std::make_shared<LaneLearned>(*lane.learned);
      faded->fade(now, after);
      lane.learned = std::move(faded);
    }
  }
}

bool DeviceState::fades(Time now, Micros after) const {
  return link.fades(now) || std::any_of(lanes.begin(), lanes.end(), [&](const Lane& lane) {
           return lane.learned->fades(now, after);
         });
}

const DeviceState* Fleet::find(std::string_view id) const {
  const auto at = lower_bound_by_id(devices_, id);
  return at != devices_.end() && at->facts->id == id ? &*at : nullptr;
}

DeviceState& Fleet::change(std::size_t position) {
  changes_.add(static_cast<std::uint32_t>(position));
  return devices_[position];
}

DeviceState* Fleet::find_to_change(std::string_view id) {
  const DeviceState* device = find(id);
  return device != nullptr ? &change(position_of(*device)) : nullptr;
}

DeviceState& Fleet::at_or_insert(std::string_view id) {
  changes_.add_all();
  const auto at = lower_bound_by_id(devices_, id);
  if (at != devices_.end() && at->facts->id == id) {
    return *at;
  }
  DeviceFacts facts;
  facts.id = std::string(id);
  DeviceState state;
  state.facts = std::make_shared<const DeviceFacts>(std::move(facts));
  return *devices_.insert(at, std::move(state));
}

void Fleet::erase(std::string_view id) {
  changes_.add_all();
  const auto at = lower_bound_by_id(devices_, id);
  JUGGLER_CHECK(at != devices_.end() && at->facts->id == id, "only who is there leaves");
  devices_.erase(at);
}

void Fleet::heard(const DeviceState& device, Time now) {
  devices_[position_of(device)].last_heard = now;
}

void Fleet::set_host(const DeviceState& device, const HostSample& host) {
  devices_[position_of(device)].host = host;
}

void Fleet::set_wake(const DeviceState& device, std::size_t lane, Time wake) {
  devices_[position_of(device)].lanes[lane].wake = wake;
}

void Fleet::take_up(std::vector<DeviceState> devices) {
  changes_.add_all();
  devices_ = std::move(devices);
}

bool Fleet::has_work_below(int priority) const {
  for (const DeviceState& device : devices_) {
    for (const Lane& lane : device.lanes) {
      for (const OpenBatch& batch : *lane.line) {
        if (batch.priority < priority) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace juggler
