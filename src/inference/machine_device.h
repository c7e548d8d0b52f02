#pragma once
// This machine as a device: its lanes opened, calibrated and announced.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "files/catalogue.h"
#include "files/lanes_file.h"
#include "inference/calibrate.h"
#include "inference/local_device.h"

namespace juggler {

struct MachineDeviceOptions {
  std::filesystem::path home;
  std::filesystem::path host_root = "/";  // where the host's / is, in a container
  DeviceIdentity identity;
  std::vector<LaneSpec> lanes;              // empty: what this machine has
  int threads = 0;                          // of a network on the CPU; 0: chosen by measurement
  bool allow_spinning = false;              // only for a machine that runs nothing else
  std::vector<std::string> variants;        // models, networks or variants to serve; empty: all
  Micros calibration_budget = seconds(15);  // for each lane
  MeasuredMode mode{};                      // that is set now: what was measured in another does
                                            // not hold
  bool preload = true;                      // the best variants, before it joins: core/preload.h
  std::function<void(const CalibrationProgress&)> progress;
  std::function<bool()> stop;  // of the calibration: see calibrate.h
};

// Whether each of `wanted` names a model, network or variant of the catalogue.
//
// errors  InvalidArgument, with the one that names nothing
Result<void> check_variants(const Catalogue& catalogue, const std::vector<std::string>& wanted);

// A lane that cannot be opened is left out, and a note says why. Energies come from power times
// time, where a figure for its board is known (`[power] busy_mw` of the board's profile, or its
// rows for this kind of processor); else they are absent.
//
// errors  no lane can be opened: the first one's reason
Result<LocalDevice> open_machine_device(const MachineDeviceOptions& options);

}  // namespace juggler
