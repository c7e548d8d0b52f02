#pragma once
// Meters that boards have themselves: the INA3221 of Jetsons, the power chip of a Raspberry Pi 5,
// a battery's gauge.

#include <memory>

#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/mailbox.h"
#include "telemetry/meter.h"
#include "telemetry/power_rails.h"

namespace juggler {

// The rails that make a Jetson's total.
//
// errors  why there is none: no chip, or rails whose sum nobody knows
Fact<std::unique_ptr<PowerMeter>> open_rail_meter(HostFiles& host);

// The rails of a Raspberry Pi 5's power chip, added: without the 5 V that USB and a HAT take, and
// without what the regulators lose.
Fact<std::unique_ptr<PowerMeter>> open_pmic_meter(Mailbox& mailbox);

// A battery, while it discharges: all that the device takes, its screen included.
Fact<std::unique_ptr<PowerMeter>> open_battery_meter(HostFiles& host);

}  // namespace juggler
