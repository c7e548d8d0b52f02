#pragma once
// Who is in the fleet of `juggler up`: this machine and twins, by its flags.

#include <string>
#include <vector>

#include "apps/up.h"
#include "core/result.h"

namespace juggler {

struct FleetMember {
  std::string id;
  std::string board;  // of a twin; empty: this machine
};

// errors  a name that is taken or impossible, a board without a profile, nobody at all
Result<std::vector<FleetMember>> members_of(const UpOptions& options);

}  // namespace juggler
