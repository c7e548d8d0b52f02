#pragma once
// The energy counters of NVIDIA's graphics cards (not of Jetsons, whose rails see their GPU).

#include <memory>

#include "telemetry/meter.h"

namespace juggler {

// As much of NVIDIA's management library as energy takes, by its own names and numbers
// (docs.nvidia.com/deploy/nvml-api). All return 0 where all is well.
struct NvmlApi {
  int (*count)(unsigned* cards);
  int (*handle)(unsigned card, void** device);
  int (*name)(void* device, char* text, unsigned size);
  int (*energy)(void* device, unsigned long long* millijoules);  // since the driver was loaded
};

// The library that comes with the driver, taken when the program runs; null: there is none, or it
// finds no driver. Stays loaded.
const NvmlApi* system_nvml();

// All cards together, and what the processors' own counters say (`processors`: RAPL or null), since
// a batch on a card costs both. The host's memory, disks and supply are in neither.
//
// errors  Missing: no library, no card. NoData: a card that does not count (older than Volta)
Fact<std::unique_ptr<PowerMeter>> open_nvml_meter(const NvmlApi* api,
                                                  std::unique_ptr<PowerMeter> processors);

}  // namespace juggler
