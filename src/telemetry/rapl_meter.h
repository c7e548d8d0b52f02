#pragma once
// RAPL: the energy counters of an x86 package, or of the whole platform where there is `psys`.

#include <memory>

#include "telemetry/host_files.h"
#include "telemetry/meter.h"

namespace juggler {

// psys where there is one, else all packages and their separate dram. `core` and `uncore` lie
// inside a package, and intel-rapl-mmio counts it again: neither is added.
//
// errors  Denied: energy_uj is for root alone since Linux 5.10
Fact<std::unique_ptr<PowerMeter>> open_rapl_meter(HostFiles& host);

}  // namespace juggler
