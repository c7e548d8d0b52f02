#pragma once
// The engine that runs real networks: pictures and tensors in, labels with probabilities out.

#include <filesystem>
#include <memory>
#include <optional>

#include "core/evidence.h"
#include "core/result.h"
#include "files/catalogue.h"
#include "files/energy.h"
#include "files/lanes_file.h"
#include "inference/memory_keeper.h"
#include "runtime/engine.h"

namespace juggler {

struct OnnxEngineOptions {
  std::filesystem::path home;  // where the library may lie: see load_onnx_runtime
  int threads = 1;
  bool allow_spinning = false;    // only for a machine that runs nothing else
  std::optional<BusyPower> busy;  // for a device without a meter
  LaneSpec lane{};                // by which execution provider
  std::optional<MemoryRules> memory{};
};

// errors  as load_onnx_runtime; Unsupported where the library has no such provider
Result<std::unique_ptr<InferenceEngine>> make_onnx_engine(Catalogue catalogue,
                                                          const OnnxEngineOptions& options);

}  // namespace juggler
