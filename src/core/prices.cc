#include "core/prices.h"

#include <algorithm>
#include <optional>

namespace juggler {
namespace {

constexpr std::int64_t kWindow = 32;              // decisions
constexpr std::int64_t kSampleMaxMw = 5'000'000;  // 5 kW: one odd sample moves a price by 156 W

// What its time was worth to this task, in mW; nothing where the task would not have wanted it.
std::optional<std::int64_t> sample_of(const Candidate& candidate, std::int64_t paid_uj) {
  const bool busy = candidate.verdict == Verdict::QueueTooLong;
  if ((!busy && !choosable(candidate)) || candidate.cost_uj > paid_uj) {
    return std::nullopt;
  }
  if (!busy) {
    return 0;
  }
  const std::int64_t time = std::max<std::int64_t>(candidate.occupies.count, 1);
  return std::min((paid_uj - candidate.cost_uj) * 1000 / time, kSampleMaxMw);
}

}  // namespace

void learn_prices(std::span<const Candidate> candidates, const Candidate* chosen, Fleet& fleet) {
  const std::int64_t paid_uj = chosen != nullptr ? chosen->total_uj() : kUnservedUj;
  for (std::size_t i = 0; i < candidates.size();) {
    // The candidates of one processor stand together; the variant that would have gained most
    // counts, and one that had room shows that the processor had.
    const Candidate& first = candidates[i];
    std::optional<std::int64_t> worth;
    bool had_room = false;
    for (; i < candidates.size() && candidates[i].device == first.device &&
           candidates[i].lane == first.lane;
         ++i) {
      if (const auto sample = sample_of(candidates[i], paid_uj)) {
        had_room = had_room || choosable(candidates[i]);
        worth = std::max(worth.value_or(0), *sample);
      }
    }
    if (worth.has_value()) {
      std::int64_t& price = fleet.devices[first.device].lanes[first.lane].price_mw;
      price += ((had_room ? 0 : *worth) - price) / kWindow;
    }
  }
}

void fade_prices(Fleet& fleet) {
  for (DeviceState& device : fleet.devices) {
    for (Lane& lane : device.lanes) {
      lane.price_mw -= lane.price_mw / 8;
    }
  }
}

}  // namespace juggler
