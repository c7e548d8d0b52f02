#pragma once
// An engine whose batches carry what a meter saw of them.

#include <memory>
#include <string>

#include "runtime/engine.h"
#include "telemetry/energy_meter.h"

namespace juggler {

// Where the meter has seen too little yet, the engine's own figure stands, with its evidence. The
// meter outlives it.
std::unique_ptr<InferenceEngine> make_metered_engine(std::unique_ptr<InferenceEngine> engine,
                                                     std::string processor, EnergyMeter& meter);

}  // namespace juggler
