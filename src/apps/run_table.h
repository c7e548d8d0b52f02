#pragma once
// Runs of the simulator as a table for people: one row per policy, the means over its seeds.

#include <string>
#include <vector>

#include "apps/table.h"
#include "evaluation/run.h"

namespace juggler {

// Runs of one scenario, in any order. A policy that broke a promise in any run gets no figures, but
// what it broke.
std::string runs_text(const std::vector<evaluation::Run>& runs, const Screen& screen);

}  // namespace juggler
