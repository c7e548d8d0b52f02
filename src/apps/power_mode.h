#pragma once
// The power mode and clocks that are set on this machine now, as a profile records them; and other
// power modes, where somebody asked for them by name.

#include <string>
#include <vector>

#include "core/result.h"
#include "files/measured_mode.h"
#include "telemetry/discovery.h"

namespace juggler {

MeasuredMode mode_of(const Discovery& found);
// Of the host whose / is there.
MeasuredMode mode_now(const std::string& host_root);

// The modes that are named so, by /etc/nvpmodel.conf's names or numbers, in the order given.
//
// errors  InvalidArgument: the machine has no power modes, or none that is named so
Result<std::vector<PowerModeName>> named_modes(const Discovery& found,
                                               const std::vector<std::string>& wanted);

// Sets a mode by `nvpmodel -m`, and looks whether it is set then. For the whole machine, and until
// somebody sets another: nobody calls this unasked.
//
// errors  Unavailable: no such program, or it refused (it wants root, or a reboot), with what it
// said
Result<void> set_power_mode(const std::string& host_root, const PowerModeName& mode);

}  // namespace juggler
