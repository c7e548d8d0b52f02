#pragma once
// What a device loads before it joins: a task that comes should find its variant there. Loading on
// a processor that has work keeps it from all of it for as long as dozens of tasks take.

#include <string>
#include <vector>

#include "core/device.h"

namespace juggler {

// For each processor of the device the variants to load, the cheapest first: those that no other
// variant of the same model beats there, as long as all of them together fit into half of the
// device's memory, and those of one processor load within 10 s.
std::vector<std::vector<std::string>> preload_set(const DeviceFacts& facts);

// Says that it has loaded all of that: a twin of a board that has long been up.
void state_preloads(DeviceFacts& facts);

// The time that a processor takes to load these variants, one after the other.
Micros load_time(const Processor& processor, const std::vector<std::string>& variants);

}  // namespace juggler
