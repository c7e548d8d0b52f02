#pragma once
// A meter behind the port of `juggler profile` (runtime/run_meter.h). It reads nothing itself: what
// the meter said lies in an EnergyLog, on the real clock or, in tests, on a virtual one.

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/run_meter.h"
#include "telemetry/energy_log.h"
#include "telemetry/energy_meter.h"

namespace juggler {

struct EnergySource {
  MeterFacts facts;
  std::function<Time()> now;
  std::function<void(Micros)> wait;  // nothing runs meanwhile
  std::function<EnergySpan(Time from, Time to)> between;
  std::function<IdlePower(const std::vector<std::pair<Time, Time>>& spans)> idle;
};

std::unique_ptr<RunMeter> make_run_meter(EnergySource source);

// Of a meter that is being read. Meter and clock outlive it.
EnergySource source_of(const EnergyMeter& meter, Clock& clock);

}  // namespace juggler
