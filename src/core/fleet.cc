#include "core/fleet.h"

#include <algorithm>
#include <array>
#include <tuple>

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

bool precedes(int priority_a, Time deadline_a, std::uint64_t a, int priority_b, Time deadline_b,
              std::uint64_t b) {
  return std::tuple(-priority_a, deadline_a, a) < std::tuple(-priority_b, deadline_b, b);
}

Time Lane::free_at(Time now) const {
  if (in_flight.empty()) {
    return now;
  }
  // The first may have run for a while; one that is overdue counts as about to finish.
  Time at = std::max(now, head_since + in_flight.front().expected);
  for (std::size_t i = 1; i < in_flight.size(); ++i) {
    at = at + in_flight[i].expected;
  }
  return at;
}

void Lane::correct(std::size_t profile, Micros predicted, Micros measured) {
  // An eighth of each sample counts, and no more than a factor of ten either way: one odd result
  // moves the prediction little, a device that has really slowed down is believed in a few.
  const std::int64_t sample = std::clamp<std::int64_t>(
      measured.count * 1000 / std::max<std::int64_t>(predicted.count, 1), 100, 10'000);
  auto learned = std::make_shared<Corrections>(*corrections);
  (*learned)[profile] += (sample - (*learned)[profile]) / 8;
  corrections = std::move(learned);
}

Micros DeviceState::network() const {
  return network_us.samples() == 0 ? kNetworkDefault : Micros{network_us.mean()};
}

void DeviceState::fade() {
  if (network_us.samples() > 0) {
    network_us.fade(kNetworkDefault.count);
  }
  for (Lane& lane : lanes) {
    auto faded = std::make_shared<Corrections>(*lane.corrections);
    for (std::int64_t& correction : *faded) {
      correction += (1000 - correction) / 8;
    }
    if (*faded != *lane.corrections) {
      lane.corrections = std::move(faded);
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

}  // namespace juggler
