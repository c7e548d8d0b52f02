#pragma once
// Finds and loads the ONNX Runtime library of this machine, once per process. Only the headers are
// needed to build; where there is no library, the message says what was tried.

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace juggler {

struct OnnxRuntime {
  std::string version;            // "1.30.0"
  std::filesystem::path library;  // what was loaded
  unsigned minor = 0;             // 30 of "1.30.0"
  // Execution providers that it was built with, best first. One may still fail to start where its
  // own libraries are missing.
  std::vector<std::string> providers;
};

// Whether this build has the ONNX Runtime engine at all.
bool onnx_engine_available();

// Loads the library: $ORT_LIBRARY (that one or none), `<home>/onnxruntime/lib/libonnxruntime.so.1`,
// that in /opt/onnxruntime/lib, then the system's names. It stays loaded until the process ends.
//
// errors  Unsupported where the build has no engine; Unavailable where no library serves.
// thread  any
Result<OnnxRuntime> load_onnx_runtime(const std::filesystem::path& home);

}  // namespace juggler
