#include "core/power.h"

#include <algorithm>

namespace juggler {

Milliwatts added_power(const LaneOutlook& lane, std::optional<Milliwatts> power) {
  return std::max(power.value_or(Milliwatts{0}) - lane.power, Milliwatts{0});
}

std::optional<Verdict> power_verdict(const Outlook& outlook, const LaneOutlook& lane,
                                     std::optional<Milliwatts> power) {
  const std::optional<Milliwatts> of_board = lane.facts->power_max;
  if (!outlook.power_max.has_value() && !of_board.has_value()) {
    return std::nullopt;
  }
  if (!power.has_value() || !lane.facts->idle.has_value()) {
    return Verdict::PowerUnknown;
  }
  const auto over = [&](std::optional<Milliwatts> limit, Milliwatts taken, Milliwatts more) {
    return limit.has_value() && taken + more > *limit;
  };
  if (over(of_board, lane.device_power_rest, *power) ||
      over(outlook.power_max, outlook.power.rest, *power)) {
    return Verdict::OverPower;
  }
  const Milliwatts more = added_power(lane, power);
  if (over(of_board, lane.device_power, more) || over(outlook.power_max, outlook.power.now, more)) {
    return Verdict::PowerShort;
  }
  return std::nullopt;
}

bool power_for_both(const Outlook& outlook, const Candidate& a, const Candidate& b) {
  const bool same_lane = a.device == b.device && a.lane == b.lane;
  const Milliwatts both =
      same_lane ? std::max(a.adds_power, b.adds_power) : a.adds_power + b.adds_power;
  if (outlook.power_max.has_value() && outlook.power.now + both > *outlook.power_max) {
    return false;
  }
  const LaneOutlook& lane = outlook.lanes[a.seen];
  return a.device != b.device || !lane.facts->power_max.has_value() ||
         lane.device_power + both <= *lane.facts->power_max;
}

}  // namespace juggler
