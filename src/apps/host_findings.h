#pragma once
// What `juggler doctor` says of the machine itself: board, processors, power mode, limits, and the
// one command or mount that mends what is missing.

#include <vector>

#include "apps/finding.h"
#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/mailbox.h"

namespace juggler {

std::vector<Finding> host_findings(const Discovery& found, HostFiles& host);

// The meter that a consumer would choose, with what it says now; or what is in the way. `mailbox`
// may be null.
Finding meter_finding(const Discovery& found, HostFiles& host, Mailbox* mailbox);

}  // namespace juggler
