#include "inference/provider_options.h"

#include <algorithm>

#include <fmt/format.h>

namespace juggler {
namespace {

constexpr int kGpuBatchMax = 8;
// Both came with 1.15; an older library refuses options that it does not know.
constexpr unsigned kShapesSince = 15;

std::string flag(bool set) { return set ? "1" : "0"; }

OptionList cuda_options(const LaneSpec& lane) {
  OptionList options{{"device_id", std::to_string(lane.gpu)},
                     // A board's memory is shared with the system: take what is needed, and no
                     // power of two above it.
                     {"arena_extend_strategy", "kSameAsRequested"},
                     // EXHAUSTIVE, the default, measures every algorithm of every layer and shape.
                     {"cudnn_conv_algo_search", "HEURISTIC"},
                     {"do_copy_in_default_stream", "1"}};
  if (lane.engine == LaneEngine::Cuda && lane.memory_max > Bytes{0}) {
    options.emplace_back("gpu_mem_limit", std::to_string(lane.memory_max.count));
  }
  return options;
}

std::string shape(const InputSpec& input, int batch) {
  return fmt::format("{}:{}x3x{}x{}", input.name, batch, input.height, input.width);
}

OptionList tensorrt_options(const LaneSpec& lane, const CatalogueVariant& variant,
                            const ProviderContext& context) {
  const std::string& precision = variant.variant.precision;
  const bool on_dla = lane.dla_core.has_value();
  OptionList options{{"device_id", std::to_string(lane.gpu)},
                     {"trt_fp16_enable", flag(precision == "fp16" || precision == "int8")},
                     {"trt_int8_enable", flag(precision == "int8")},
                     {"trt_dla_enable", flag(on_dla)}};
  if (on_dla) {
    options.emplace_back("trt_dla_core", std::to_string(*lane.dla_core));
  }
  if (lane.memory_max > Bytes{0}) {
    options.emplace_back("trt_max_workspace_size", std::to_string(lane.memory_max.count));
  }
  options.emplace_back("trt_engine_cache_enable", flag(lane.engine_cache));
  if (lane.engine_cache) {
    options.emplace_back("trt_engine_cache_path",
                         engine_cache_folder(lane, variant, context).string());
  }
  if (context.runtime_minor >= kShapesSince) {
    options.emplace_back("trt_timing_cache_enable", flag(lane.engine_cache));
    // Without them each new batch size builds a new engine, which takes minutes on a board.
    const int largest = lane_batch_max(lane);
    options.emplace_back("trt_profile_min_shapes", shape(variant.input, 1));
    options.emplace_back("trt_profile_opt_shapes", shape(variant.input, largest));
    options.emplace_back("trt_profile_max_shapes", shape(variant.input, largest));
  }
  return options;
}

bool listed(const std::vector<std::string>& providers, LaneEngine engine) {
  return std::find(providers.begin(), providers.end(), provider_name(engine)) != providers.end();
}

}  // namespace

std::vector<ProviderChoice> provider_choices(const LaneSpec& lane, const CatalogueVariant& variant,
                                             const ProviderContext& context) {
  switch (lane.engine) {
    case LaneEngine::Xnnpack:
      return {{"XNNPACK", {{"intra_op_num_threads", std::to_string(context.threads)}}}};
    case LaneEngine::Cuda:
      return {{"CUDA", cuda_options(lane)}};
    case LaneEngine::TensorRt:
      return {{"TensorRT", tensorrt_options(lane, variant, context)}, {"CUDA", cuda_options(lane)}};
    case LaneEngine::Cpu:
    case LaneEngine::External:
      break;
  }
  return {};
}

std::filesystem::path engine_cache_folder(const LaneSpec& lane, const CatalogueVariant& variant,
                                          const ProviderContext& context) {
  const std::string core = lane.dla_core.has_value() ? fmt::format("dla{}", *lane.dla_core) : "gpu";
  // What else an engine depends on (TensorRT's version, the GPU) the provider puts into its names.
  return context.engine_cache / fmt::format("gpu{}-{}", lane.gpu, core) /
         fmt::format("{}-{}-{}-ort1.{}-b{}", variant.variant.id,
                     variant.variant.sha256.substr(0, 16), variant.variant.precision,
                     context.runtime_minor, lane_batch_max(lane));
}

bool lane_serves(const LaneSpec& lane, const Variant& variant) {
  if (lane.dla_core.has_value()) {
    return variant.precision == "fp16";
  }
  return lane.engine != LaneEngine::Cuda || variant.precision != "int8";
}

int lane_batch_max(const LaneSpec& lane) {
  if (lane.dla_core.has_value()) {
    return 1;
  }
  const bool gpu = lane.engine == LaneEngine::Cuda || lane.engine == LaneEngine::TensorRt;
  return lane.batch_max > 0 ? lane.batch_max : gpu ? kGpuBatchMax : 4;
}

std::string provider_name(LaneEngine engine) {
  switch (engine) {
    case LaneEngine::Cpu:
      return "CPUExecutionProvider";
    case LaneEngine::Xnnpack:
      return "XnnpackExecutionProvider";
    case LaneEngine::Cuda:
      return "CUDAExecutionProvider";
    case LaneEngine::TensorRt:
      return "TensorrtExecutionProvider";
    case LaneEngine::External:
      break;
  }
  return {};
}

std::vector<LaneSpec> default_lanes(const std::vector<std::string>& providers) {
  std::vector<LaneSpec> lanes(1);
  lanes.front().processor = "cpu0";
  for (const LaneEngine engine : {LaneEngine::TensorRt, LaneEngine::Cuda}) {
    if (listed(providers, engine)) {
      LaneSpec gpu;
      gpu.processor = "gpu0";
      gpu.kind = ProcessorKind::Gpu;
      gpu.engine = engine;
      lanes.push_back(std::move(gpu));
    }
  }
  return lanes;
}

}  // namespace juggler
