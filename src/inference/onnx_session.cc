#include "inference/onnx_session.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <spdlog/spdlog.h>

namespace juggler {
namespace {

// The library's own log goes to ours: errors only, it warns of a hundred harmless things per
// network.
void log_line(void* /*unused*/, OrtLoggingLevel /*severity*/, const char* /*category*/,
              const char* /*log_id*/, const char* /*where*/, const char* message) {
  spdlog::warn("ONNX Runtime: {}", message);
}

// What set-up calls the free dimension of every network that it exports.
constexpr const char* kBatchDimension = "batch";

// One environment per process, as the library wants; never destroyed, since its threads may outlive
// static destructors.
Ort::Env& environment() {
  static auto* env = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "juggler", log_line, nullptr);  // NOLINT
  return *env;
}

// Keys and values as the C API wants them; they live as long as `options`.
struct RawOptions {
  explicit RawOptions(const OptionList& options) {
    for (const auto& [key, value] : options) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
  std::vector<const char*> keys;
  std::vector<const char*> values;
};

void append_cuda(Ort::SessionOptions& session, const OptionList& options) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> owner(
      made, api.ReleaseCUDAProviderOptions);
  const RawOptions raw(options);
  Ort::ThrowOnError(
      api.UpdateCUDAProviderOptions(made, raw.keys.data(), raw.values.data(), raw.keys.size()));
  session.AppendExecutionProvider_CUDA_V2(*made);
}

void append_tensorrt(Ort::SessionOptions& session, const OptionList& options) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)>
      owner(made, api.ReleaseTensorRTProviderOptions);
  const RawOptions raw(options);
  Ort::ThrowOnError(
      api.UpdateTensorRTProviderOptions(made, raw.keys.data(), raw.values.data(), raw.keys.size()));
  session.AppendExecutionProvider_TensorRT_V2(*made);
}

void append(Ort::SessionOptions& session, const ProviderChoice& provider) {
  if (provider.name == "TensorRT") {
    append_tensorrt(session, provider.options);
  } else if (provider.name == "CUDA") {
    append_cuda(session, provider.options);
  } else {
    session.AppendExecutionProvider(provider.name,
                                    {provider.options.begin(), provider.options.end()});
  }
}

// The library has no code of its own for memory that it could not have: its allocators and
// providers say so in words.
ErrorCode code_of(std::string_view what) {
  const auto says = [&](std::string_view words) { return what.find(words) != what.npos; };
  const bool memory = says("out of memory") || says("OUT_OF_MEMORY") ||
                      says("Failed to allocate memory") || says("bad_alloc") ||
                      says("smaller than requested bytes") ||  // an arena at its limit
                      says("CUDA_ERROR_OUT_OF_MEMORY") || says("cudaErrorMemoryAllocation");
  return memory ? ErrorCode::TooLarge : ErrorCode::Unavailable;
}

Ort::SessionOptions library_options(const SessionOptions& options) {
  Ort::SessionOptions chosen;
  // XNNPACK has threads of its own: two pools on the same cores would be in each other's way.
  const bool own_threads =
      std::any_of(options.providers.begin(), options.providers.end(),
                  [](const ProviderChoice& choice) { return choice.name == "XNNPACK"; });
  chosen.SetIntraOpNumThreads(own_threads ? 1 : options.threads);
  chosen.SetInterOpNumThreads(1);
  chosen.SetExecutionMode(ORT_SEQUENTIAL);
  chosen.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  // x86-64 without VNNI adds products of uint8 and int8 in 16 bits, which saturate:
  // EfficientNet-Lite0 was off by up to 0.44 of a probability, and by labels. ONNX Runtime then
  // makes the weights uint8; other processors are not concerned (its
  // onnxruntime_session_options_config_keys.h).
  chosen.AddConfigEntry("session.x64quantprecision", "1");
  chosen.AddConfigEntry("session.intra_op.allow_spinning",
                        options.allow_spinning && !own_threads ? "1" : "0");
  if (options.fixed_batch > 0) {
    Ort::ThrowOnError(
        Ort::GetApi().AddFreeDimensionOverrideByName(chosen, kBatchDimension, options.fixed_batch));
  }
  for (const ProviderChoice& provider : options.providers) {
    append(chosen, provider);
  }
  return chosen;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t side : shape) {
    text += (text.size() > 1 ? ", " : "") + (side < 0 ? "N" : std::to_string(side));
  }
  return text + "]";
}

Error mismatch(const CatalogueVariant& variant, const std::string& what) {
  return fail(ErrorCode::Corrupt, variant.variant.id + ": " + variant.file.string() +
                                      " does not fit the catalogue: " + what);
}

struct Port {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<std::int64_t> shape;
};

Port port_of(const std::string& name, const Ort::TypeInfo& type) {
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  return {name, tensor.GetElementType(), tensor.GetShape()};
}

std::optional<Port> find_input(const Ort::Session& session, const std::string& wanted) {
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
    const std::string name = session.GetInputNameAllocated(i, allocator).get();
    if (name == wanted) {
      return port_of(name, session.GetInputTypeInfo(i));
    }
  }
  return std::nullopt;
}

std::optional<Port> find_output(const Ort::Session& session, const std::string& wanted) {
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    const std::string name = session.GetOutputNameAllocated(i, allocator).get();
    if (name == wanted) {
      return port_of(name, session.GetOutputTypeInfo(i));
    }
  }
  return std::nullopt;
}

bool input_fits(const Port& port, const InputSpec& input) {
  const auto same = [](std::int64_t side, int wanted) { return side < 0 || side == wanted; };
  return port.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT && port.shape.size() == 4 &&
         same(port.shape[1], 3) && same(port.shape[2], input.height) &&
         same(port.shape[3], input.width);
}

class OnnxSession final : public Network {
 public:
  struct Loaded {
    Ort::Session session;
    Ort::MemoryInfo memory;
    InputSpec input;
    OutputSpec output;
    int batch_max = 0;
    int classes = 0;
    std::vector<Ort::Value> scores;  // keeps the last run's output alive
  };

  explicit OnnxSession(Loaded loaded) : loaded_(std::move(loaded)) {}
  int batch_max() const override { return loaded_.batch_max; }
  int classes() const override { return loaded_.classes; }
  bool usable() const override { return true; }
  Result<std::span<const float>> run(std::span<float> input, int batch) override;

 private:
  Loaded loaded_;
};

Result<std::span<const float>> OnnxSession::run(std::span<float> input, int batch) {
  const std::array<std::int64_t, 4> shape{batch, 3, loaded_.input.height, loaded_.input.width};
  const std::array<const char*, 1> input_names{loaded_.input.name.c_str()};
  const std::array<const char*, 1> output_names{loaded_.output.name.c_str()};
  try {
    const Ort::Value tensor = Ort::Value::CreateTensor<float>(
        loaded_.memory, input.data(), input.size(), shape.data(), shape.size());
    loaded_.scores = loaded_.session.Run(Ort::RunOptions{nullptr}, input_names.data(), &tensor, 1,
                                         output_names.data(), 1);
    const Ort::Value& scores = loaded_.scores.front();
    const std::size_t count = scores.GetTensorTypeAndShapeInfo().GetElementCount();
    if (count != static_cast<std::size_t>(batch) * static_cast<std::size_t>(loaded_.classes)) {
      return fail(ErrorCode::Internal, "the network returned " + std::to_string(count) +
                                           " scores for a batch of " + std::to_string(batch));
    }
    return std::span<const float>(scores.GetTensorData<float>(), count);
  } catch (const std::exception& error) {
    return fail(code_of(error.what()), std::string("ONNX Runtime: ") + error.what());
  }
}

}  // namespace

Result<std::unique_ptr<Network>> open_onnx_session(const CatalogueVariant& variant,
                                                   const SessionOptions& options) {
  try {
    // Before the options: CUDA's provider writes to the environment's log while they are made.
    Ort::Env& owner = environment();
    Ort::Session session(owner, variant.file.c_str(), library_options(options));
    const std::optional<Port> input = find_input(session, variant.input.name);
    if (!input.has_value() || session.GetInputCount() != 1) {
      return mismatch(variant, "it needs exactly one input, '" + variant.input.name + "'");
    }
    if (!input_fits(*input, variant.input)) {
      return mismatch(variant, "input " + shape_text(input->shape) + " is not float [N, 3, " +
                                   std::to_string(variant.input.height) + ", " +
                                   std::to_string(variant.input.width) + "]");
    }
    const std::optional<Port> output = find_output(session, variant.output.name);
    if (!output.has_value() || output->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
      return mismatch(variant, "it has no float output '" + variant.output.name + "'");
    }
    if (output->shape.size() < 2 || output->shape[1] < 1 || output->shape[1] > 1'000'000) {
      return mismatch(variant, "output " + shape_text(output->shape) + " is not [N, classes]");
    }
    const std::int64_t batch = input->shape[0];
    if (batch > 1) {
      return mismatch(variant, "its batch is fixed at " + std::to_string(batch));
    }
    return std::make_unique<OnnxSession>(
        OnnxSession::Loaded{std::move(session),
                            Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault),
                            variant.input,
                            variant.output,
                            batch < 0 ? 0 : 1,
                            static_cast<int>(output->shape[1]),
                            {}});
  } catch (const std::exception& error) {
    const ErrorCode code = code_of(error.what());
    return fail(code == ErrorCode::TooLarge ? code : ErrorCode::Corrupt,
                variant.variant.id + ": ONNX Runtime cannot load " + variant.file.string() + ": " +
                    error.what());
  }
}

}  // namespace juggler
