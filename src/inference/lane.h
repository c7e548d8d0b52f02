#pragma once
// A lane of this machine, from its description to something that can be measured and run: the
// engine is started, what it can serve is known, nothing is loaded yet.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"
#include "files/energy.h"
#include "files/lanes_file.h"
#include "inference/calibrate.h"
#include "inference/memory_keeper.h"
#include "runtime/engine.h"

namespace juggler {

struct LaneContext {
  std::filesystem::path home;
  std::string device;
  const Catalogue* catalogue = nullptr;
  std::vector<std::string> wanted;  // models, networks or variants; empty: all
  int threads = 0;                  // of the CPU's lanes, where their description does not say
  bool allow_spinning = false;
};

struct ServingOptions {
  int threads = 1;
  std::optional<BusyPower> busy{};      // for a device without a meter
  std::optional<MemoryRules> memory{};  // none while it is measured: one is loaded at a time
};

struct PreparedLane {
  CalibrationLane calibration;
  std::vector<std::string> variants;  // ids of the catalogue that it can serve
  std::vector<std::string> notes;     // what it leaves out, and why
  // The engine that is to serve.
  std::function<Result<std::unique_ptr<InferenceEngine>>(ServingOptions options)> make_engine;
};

// errors  the engine's: no such provider, a worker that does not start, nothing that it can serve
Result<PreparedLane> prepare_lane(const LaneSpec& lane, const LaneContext& context);

// The lanes of a machine that nobody has described.
//
// errors  as load_onnx_runtime
Result<std::vector<LaneSpec>> lanes_of_machine(const std::filesystem::path& home);

}  // namespace juggler
