#include "inference/onnx_engine.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "inference/machine.h"
#include "inference/onnx_runtime.h"
#include "inference/onnx_session.h"
#include "inference/picture_engine.h"
#include "inference/provider_options.h"
#include "inference/sized_network.h"

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

// From this version on CUDA's provider plans each layer anew whenever a batch is of another size
// than the one before: 0.1 to 1 s on an H100 (github.com/microsoft/onnxruntime/issues/23006;
// docs/engines.md). Before it, once for each size.
constexpr unsigned kPlansAnewSince = 20;

// What a first run plans, no task is to wait for.
Result<void> run_once(Network& network, const InputSpec& input, int batch) {
  std::vector<float> nothing(input.floats() * static_cast<std::size_t>(batch));
  const Result<std::span<const float>> scores = network.run(nothing, batch);
  return scores ? Result<void>{} : scores.error();
}

// A session for each size of batch, which then never changes.
Result<std::unique_ptr<Network>> open_each_size(const CatalogueVariant& variant,
                                                SessionOptions session, int batch_max) {
  std::vector<SizedPart> parts;
  for (const int size : batch_sizes(batch_max)) {
    session.fixed_batch = size;
    Result<std::unique_ptr<Network>> network = open_onnx_session(variant, session);
    if (!network) {
      return network;
    }
    if (Result<void> ran = run_once(**network, variant.input, size); !ran) {
      return ran.error();
    }
    parts.push_back({size, std::move(*network)});
  }
  return make_sized_network(std::move(parts), variant.input.floats());
}

// One session, which has seen each size of batch.
Result<std::unique_ptr<Network>> open_any_size(const CatalogueVariant& variant,
                                               const SessionOptions& session, int batch_max) {
  Result<std::unique_ptr<Network>> network = open_onnx_session(variant, session);
  for (int size = 1; network && size <= batch_max; ++size) {
    if (Result<void> ran = run_once(**network, variant.input, size); !ran) {
      return ran.error();
    }
  }
  return network;
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
  const int batch_max = lane_batch_max(options.lane);
  if (options.lane.dla_core.has_value()) {
    session.fixed_batch = 1;
  }
  if (options.lane.engine == LaneEngine::Cuda && context.runtime_minor >= kPlansAnewSince) {
    return open_each_size(variant, session, batch_max);
  }
  return options.lane.kind == ProcessorKind::Gpu ? open_any_size(variant, session, batch_max)
                                                 : open_onnx_session(variant, session);
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
  return make_picture_engine(
      {std::move(catalogue),
       load,
       options.busy,
       {},
       options.memory,
       options.lane.kind == ProcessorKind::Cpu ? options.threads : decode_threads_beside()});
}

}  // namespace juggler
