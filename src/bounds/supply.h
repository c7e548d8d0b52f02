#pragma once
// What the bounds are computed from: devices, grouped by what they can do, and what is asked of
// them. Plain inputs, so that no bound depends on the simulator.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler::bounds {

// `count` devices that are all as `facts` says, which must outlive every use.
struct SupplyDevice {
  const DeviceFacts* facts = nullptr;
  Micros network;  // both ways, the least it takes
  std::int64_t count = 1;
  std::int64_t bandwidth_kbits = 0;  // of each device's link, towards it; 0: no limit
};

// Tasks that ask for the same, and how many of them come per second on average.
struct Demand {
  Requirements requirements;
  double rate_hz = 0.0;
  Bytes payload;  // of each task; counts on links with a limit
};

// One way to run a batch on a processor. Energy at the board's input, so that boards compare.
struct Option {
  std::uint32_t profile = 0;  // index into Processor::profiles
  int batch = 1;
  Micros latency;               // mean, of the whole batch
  bool energy_known = false;    // else energy_uj is 0
  double energy_uj = 0.0;       // mean, of the whole batch
  double energy_high_uj = 0.0;  // upper end, of the whole batch
};

// Processors that nobody can tell apart: one row of a programme instead of one per device.
struct ProcessorGroup {
  const DeviceFacts* facts = nullptr;    // of the first device
  const Processor* processor = nullptr;  // of the first device
  Micros network;
  std::int64_t count = 0;
  std::vector<std::uint32_t> devices;  // indices into the span given to group_processors
  std::vector<Option> options;         // by profile, then batch from 1 to batch_max
  std::int64_t bandwidth_kbits = 0;    // of each device's link
  // Groups that share devices share their links. They are pooled, which only helps.
  std::uint32_t link = 0;       // number of the pool
  std::int64_t link_kbits = 0;  // of the whole pool; 0: no limit

  const Variant& variant_of(const Option& option) const;
};

// Groups equal processors: same profiles, batch_max, variants, conversion, network and bandwidth.
// The order is that of first appearance.
std::vector<ProcessorGroup> group_processors(std::span<const SupplyDevice> devices);

// Whether a task of these requirements may be in a batch run so: model, accuracy floor, energy
// limit (the upper end of its share), and the deadline with nothing waiting before it.
//
// Wherever the controller is stricter, a bound may only be laxer: the payload's kind and the
// device's memory are not looked at. The model `auto` is `imagenet`, as by default.
bool may_serve(const ProcessorGroup& group, const Option& option, const Requirements& wanted);

// "orin-01/gpu0" or "orin-01/gpu0 and 49 like it", for messages.
std::string describe(const ProcessorGroup& group);

}  // namespace juggler::bounds
