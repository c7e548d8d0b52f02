#include "core/fleet.h"

#include <algorithm>
#include <array>

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<Liveness>, 5> kLiveness{{{Liveness::Live, "live"},
                                                    {Liveness::Suspect, "suspect"},
                                                    {Liveness::Lost, "lost"},
                                                    {Liveness::Gone, "gone"},
                                                    {Liveness::Draining, "draining"}}};

template <class Devices>
auto lower_bound_by_id(Devices& devices, std::string_view id) {
  return std::lower_bound(devices.begin(), devices.end(), id,
                          [](const DeviceState& device, std::string_view wanted) {
                            return std::string_view(device.facts->id) < wanted;
                          });
}

}  // namespace

std::string_view to_string(Liveness liveness) { return name_of(kLiveness, liveness); }

void DeviceState::fade(Time now, Micros after) {
  link.fade(now, after);
  for (Lane& lane : lanes) {
    auto faded = std::make_shared<LaneLearned>(*lane.learned);
    faded->fade(now, after);
    if (*faded != *lane.learned) {
      lane.learned = std::move(faded);
    }
  }
}

DeviceState* Fleet::find(std::string_view id) {
  const auto at = lower_bound_by_id(devices, id);
  return at != devices.end() && at->facts->id == id ? &*at : nullptr;
}

const DeviceState* Fleet::find(std::string_view id) const {
  const auto at = lower_bound_by_id(devices, id);
  return at != devices.end() && at->facts->id == id ? &*at : nullptr;
}

DeviceState& Fleet::at_or_insert(std::string_view id) {
  const auto at = lower_bound_by_id(devices, id);
  if (at != devices.end() && at->facts->id == id) {
    return *at;
  }
  DeviceFacts facts;
  facts.id = std::string(id);
  DeviceState state;
  state.facts = std::make_shared<const DeviceFacts>(std::move(facts));
  return *devices.insert(at, std::move(state));
}

bool Fleet::has_work_below(int priority) const {
  for (const DeviceState& device : devices) {
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
