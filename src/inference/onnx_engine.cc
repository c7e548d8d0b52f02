#include "inference/onnx_engine.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "inference/onnx_runtime.h"
#include "inference/onnx_session.h"
#include "inference/picture_engine.h"
#include "inference/provider_options.h"

namespace juggler {
namespace {

Result<void> check_provider(const OnnxRuntime& runtime, LaneEngine engine) {
  const std::string wanted = provider_name(engine);
  const std::vector<std::string>& there = runtime.providers;
  if (engine == LaneEngine::Cpu || std::find(there.begin(), there.end(), wanted) != there.end()) {
    return {};
  }
  return fail(
      ErrorCode::Unsupported,
      fmt::format("ONNX Runtime {} ({}) has no {}: it lists {}. Set ORT_LIBRARY to a build "
                  "that has it",
                  runtime.version, runtime.library.string(), wanted, fmt::join(there, ", ")));
}

Result<std::unique_ptr<Network>> load_variant(const CatalogueVariant& variant,
                                              const OnnxEngineOptions& options,
                                              const ProviderContext& context) {
  if (Result<void> ok = verify_model_file(variant); !ok) {
    return ok.error();
  }
  if (options.lane.engine == LaneEngine::TensorRt && options.lane.engine_cache) {
    std::error_code failed;
    std::filesystem::create_directories(engine_cache_folder(options.lane, variant, context),
                                        failed);
    if (failed) {
      return fail(ErrorCode::Unavailable, fmt::format("no folder for TensorRT's engines of {}: {}",
                                                      variant.variant.id, failed.message()));
    }
  }
  SessionOptions session;
  session.threads = options.threads;
  session.allow_spinning = options.allow_spinning;
  session.providers = provider_choices(options.lane, variant, context);
  session.batch_one = options.lane.dla_core.has_value();
  return open_onnx_session(variant, session);
}

}  // namespace

Result<std::unique_ptr<InferenceEngine>> make_onnx_engine(Catalogue catalogue,
                                                          const OnnxEngineOptions& options) {
  if (options.threads < 1 || options.threads > 1024) {
    return fail(ErrorCode::InvalidArgument, "threads must be 1 to 1024");
  }
  const Result<OnnxRuntime> runtime = load_onnx_runtime(options.home);
  if (!runtime) {
    return runtime.error();
  }
  if (Result<void> there = check_provider(*runtime, options.lane.engine); !there) {
    return there.error();
  }
  const ProviderContext context{runtime->minor, options.threads, options.home / "engines"};
  const auto load = [options, context](const CatalogueVariant& variant) {
    return load_variant(variant, options, context);
  };
  return make_picture_engine({std::move(catalogue), load, options.busy, {}, options.memory});
}

}  // namespace juggler
