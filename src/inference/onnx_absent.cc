// Stands in for the ONNX Runtime engine in a build without its headers.

#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/own_model.h"

namespace juggler {
namespace {

Error absent() {
  return fail(ErrorCode::Unsupported,
              "this build has no ONNX Runtime engine, only twins and the no-op engine: its headers "
              "were not found when it was configured (ONNXRUNTIME_ROOT, JUGGLER_ORT)");
}

}  // namespace

bool onnx_engine_available() { return false; }

Result<NetworkPorts> inspect_onnx(const std::filesystem::path& /*file*/) { return absent(); }

Result<OnnxRuntime> load_onnx_runtime(const std::filesystem::path& /*home*/) { return absent(); }

// NOLINTNEXTLINE(performance-unnecessary-value-param): the engine that this stands for keeps it
Result<std::unique_ptr<InferenceEngine>> make_onnx_engine(Catalogue /*catalogue*/,
                                                          const OnnxEngineOptions& /*options*/) {
  return absent();
}

}  // namespace juggler
