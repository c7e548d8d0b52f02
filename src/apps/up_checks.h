#pragma once
// What can be known to be wrong with the flags of `juggler up` before anything is started.

#include <string>

#include "apps/up.h"
#include "core/result.h"

namespace juggler {

// The flags alone: an unknown policy, a configuration that the controller would refuse,
// photographs that are not there. Returns the policy that the controller will use.
Result<std::string> check_flags(const UpOptions& options);

// Whether the broker at `address` lets somebody in, and lets that login do what a fleet does; asks
// again for a few seconds where nobody answers, it may be starting.
//
// errors  InvalidArgument for an address that is none; else why it cannot be reached, or what the
//         login may not do and would have to
Result<void> check_broker(const std::string& address);

}  // namespace juggler
