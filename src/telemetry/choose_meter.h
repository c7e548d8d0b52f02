#pragma once
// Which meter this device has: the one that was asked for, else the first that answers.

#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/mailbox.h"
#include "telemetry/meter.h"
#include "telemetry/nvml_meter.h"

namespace juggler {

inline constexpr const char* kMeterNames =
    "auto, none, ina3221, nvml, rapl, pmic, battery, shelly=http://HOST, shelly1=http://HOST, "
    "tasmota=http://HOST, estimate=FILE";

struct MeterChoice {
  std::unique_ptr<PowerMeter> meter;  // null: none
  std::string why;                    // there is none, and what would mend it
};

// `wanted` is one of kMeterNames. Host files, mailbox and nvml (the last two may be null) outlive
// the meter. An estimate is never chosen by itself.
//
// errors  InvalidArgument: no such meter. Unavailable: the one asked for does not answer
Result<MeterChoice> choose_meter(const std::string& wanted, const Discovery& found, HostFiles& host,
                                 Mailbox* mailbox, const NvmlApi* nvml);

}  // namespace juggler
