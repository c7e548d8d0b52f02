#pragma once
// Whether a set of the demonstration showed what it is there to show. Judges answers only.

#include <string>
#include <vector>

#include "apps/client.h"
#include "apps/demo_sets.h"

namespace juggler {

bool completed(const ClientAnswer& answer);

struct DemoVerdict {
  std::string problem{};  // what is wrong; empty where nothing is
  std::string
      hindrance{};  // why the set could not show what it is there to show, which is no fault
};

// Of the last of `answers`, which are those of all sets so far, `set` the last of them.
//
// requires  set.beyond and set.unlike name sets before it
DemoVerdict judge(const DemoSet& set, const std::vector<std::vector<ClientAnswer>>& answers);

}  // namespace juggler
