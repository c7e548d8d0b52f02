#pragma once
// Watt limits, of one board and of the fleet: which candidates they leave out.
//
// A limit is a promise, like a task's energy limit. What counts is each board's power at rest, and
// for each processor the most that any batch in flight or in line there may take, by the upper end
// of its interval: a processor runs one batch after the other. So room is taken when a task is
// placed, and nothing has to wait for it when its batch goes out. All at the boards' inputs, the
// one scope at which devices are compared (docs/energy.md#scopes).

#include <optional>

#include "core/candidates.h"

namespace juggler {

// The first limit that a candidate breaks; `power` as of its profile.
std::optional<Verdict> power_verdict(const Outlook& outlook, const LaneOutlook& lane,
                                     std::optional<Milliwatts> power);

// What the lane's board and the fleet would take more by running something of this power there.
Milliwatts added_power(const LaneOutlook& lane, std::optional<Milliwatts> power);

// Whether there is room for both, each of which has room alone.
bool power_for_both(const Outlook& outlook, const Candidate& a, const Candidate& b);

}  // namespace juggler
