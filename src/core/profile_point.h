#pragma once
// What a profile says of a batch of any size, and one draw of the time that such a batch takes: the
// one rule that predictions, twins and the simulator share.

#include "core/device.h"
#include "core/rng.h"

namespace juggler {

// Mean, p95 and energy of a batch. Between two measured sizes it lies on the line between them,
// beyond the largest it grows in proportion.
//
// requires  batch >= 1; a profile that validate() accepts
ProfilePoint point_at(const Profile& profile, int batch);

// Power above idle while it runs, at its own meter's place; 0 where its energy is unknown.
Milliwatts power_above_idle(const ProfilePoint& point);

// A time from the log-normal distribution that has the point's mean and p95:
//   p95 / mean = exp(z s - s^2 / 2), so s = z - sqrt(z^2 - 2 ln(p95 / mean)).
// Above a ratio of 3.9 there is none; the widest one stands in. At most four times p95, so that no
// task hangs. Whole microseconds: the last bit of a math library shows only at a tie.
Micros draw_latency(const ProfilePoint& point, Rng& rng);

}  // namespace juggler
