#pragma once
// Whether a set of the demonstration showed what it is there to show. Judges answers only.

#include <string>
#include <vector>

#include "apps/client.h"
#include "apps/demo_sets.h"

namespace juggler {

bool completed(const ClientAnswer& answer);

// What is wrong with the last of `answers`, which are those of all sets so far, `set` the last of
// them; empty where nothing is.
//
// requires  set.beyond and set.unlike name sets before it
std::string problem_of(const DemoSet& set, const std::vector<std::vector<ClientAnswer>>& answers);

}  // namespace juggler
