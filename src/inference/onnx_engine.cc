#include "inference/onnx_engine.h"

#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "core/check.h"
#include "inference/image.h"
#include "inference/onnx_runtime.h"
#include "inference/onnx_session.h"
#include "inference/payload_check.h"
#include "inference/preprocess.h"
#include "inference/top_labels.h"

namespace juggler {
namespace {

// A tensor for more pictures than this is given back after the run.
constexpr std::size_t kTensorFloatsKept = std::size_t{8} * 3 * 260 * 260;

class OnnxEngine final : public InferenceEngine {
 public:
  OnnxEngine(Catalogue catalogue, const OnnxEngineOptions& options)
      : catalogue_(std::move(catalogue)),
        options_{options.threads, options.allow_spinning},
        busy_(options.busy) {}

  Result<void> load(const std::string& variant) override;
  void unload(const std::string& variant) override { loaded_.erase(variant); }
  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override;

 private:
  struct Loaded {
    const CatalogueVariant* entry = nullptr;
    std::unique_ptr<OnnxSession> session;
    std::vector<std::string> labels;
    Preprocessor preprocessor;
  };

  Result<void> fill(Loaded& loaded, const EngineInput& input, std::span<float> tensor);
  void answer(Loaded& loaded, std::span<const EngineInput> inputs,
              const std::vector<std::size_t>& good, std::vector<EngineOutput>& outputs);

  Catalogue catalogue_;
  SessionOptions options_;
  std::optional<BusyPower> busy_;
  std::map<std::string, Loaded> loaded_;
  Picture picture_;            // reused from picture to picture
  std::vector<float> tensor_;  // the batch
};

Result<void> OnnxEngine::load(const std::string& variant) {
  if (loaded_.contains(variant)) {
    return {};
  }
  const CatalogueVariant* entry = catalogue_.find(variant);
  if (entry == nullptr) {
    return fail(ErrorCode::NotFound, "variant '" + variant + "' is not in the model catalogue");
  }
  if (Result<void> ok = verify_model_file(*entry); !ok) {
    return ok;
  }
  Result<std::vector<std::string>> labels = load_labels(entry->labels);
  if (!labels) {
    return labels.error();
  }
  Result<std::unique_ptr<OnnxSession>> session = OnnxSession::open(*entry, options_);
  if (!session) {
    return session.error();
  }
  if (labels->size() != static_cast<std::size_t>((*session)->classes())) {
    return fail(ErrorCode::InvalidArgument, variant + ": the network has " +
                                                std::to_string((*session)->classes()) +
                                                " classes, " + entry->labels.string() + " has " +
                                                std::to_string(labels->size()) + " labels");
  }
  loaded_[variant] = {entry, std::move(*session), std::move(*labels), {}};
  return {};
}

// One input into its place in the batch's tensor.
Result<void> OnnxEngine::fill(Loaded& loaded, const EngineInput& input, std::span<float> tensor) {
  const InputSpec& spec = loaded.entry->input;
  if (Result<void> ok = check_payload(input, &spec); !ok) {
    return ok;
  }
  const std::string& bytes = *input.bytes;
  if (input.payload.kind == PayloadKind::FloatTensor) {
    std::memcpy(tensor.data(), bytes.data(), bytes.size());  // little-endian, as all our boards are
    return {};
  }
  if (input.payload.kind == PayloadKind::RawRgb) {
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(bytes.data());
    loaded.preprocessor.run({pixels, input.payload.width, input.payload.height}, spec, tensor);
    return {};
  }
  if (Result<void> ok = decode_picture(bytes, spec.resize_shorter_px, picture_); !ok) {
    return ok;
  }
  loaded.preprocessor.run({picture_.pixels().data(), picture_.width(), picture_.height()}, spec,
                          tensor);
  picture_.trim();
  return {};
}

// Runs the good inputs, which lie in the tensor in this order, and writes their outputs.
void OnnxEngine::answer(Loaded& loaded, std::span<const EngineInput> inputs,
                        const std::vector<std::size_t>& good, std::vector<EngineOutput>& outputs) {
  const std::size_t floats = loaded.entry->input.floats();
  const auto classes = static_cast<std::size_t>(loaded.session->classes());
  const std::size_t step = loaded.session->batch_fixed() == 1 ? 1 : good.size();
  for (std::size_t done = 0; done < good.size(); done += step) {
    const std::span<float> tensor(tensor_.data() + done * floats, step * floats);
    const Result<std::span<const float>> scores =
        loaded.session->run(tensor, static_cast<int>(step));
    for (std::size_t i = 0; i < step; ++i) {
      const EngineInput& input = inputs[good[done + i]];
      EngineOutput& output = outputs[good[done + i]];
      if (!scores) {
        output.reason = loaded.entry->variant.id + ": " + scores.error().message;
        continue;
      }
      output.labels = top_labels(scores->subspan(i * classes, classes), loaded.entry->output.kind,
                                 input.top_k, loaded.labels);
      output.synthetic_labels = loaded.entry->variant.weights == Weights::Synthetic;
      if (!output.labels.empty()) {
        output.status = AttemptStatus::Ok;
      } else if (input.payload.kind == PayloadKind::FloatTensor) {
        output = bad_payload("the tensor gives scores that are not finite");
      } else {
        output.reason = loaded.entry->variant.id + ": its scores are not finite";
      }
    }
  }
}

BatchReport OnnxEngine::run(const std::string& variant, std::span<const EngineInput> inputs) {
  const auto at = loaded_.find(variant);
  JUGGLER_CHECK(at != loaded_.end(), "run of a variant that is not loaded");
  Loaded& loaded = at->second;
  const auto start = std::chrono::steady_clock::now();

  const std::size_t floats = loaded.entry->input.floats();
  if (tensor_.size() < floats * inputs.size()) {
    tensor_.resize(floats * inputs.size());
  }
  BatchReport report;
  report.outputs.resize(inputs.size());
  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::span<float> place(tensor_.data() + good.size() * floats, floats);
    if (Result<void> ok = fill(loaded, inputs[i], place); !ok) {
      report.outputs[i] = bad_payload(ok.error().message);
    } else {
      good.push_back(i);
    }
  }
  if (!good.empty()) {
    answer(loaded, inputs, good, report.outputs);
  }
  if (tensor_.size() > kTensorFloatsKept) {
    tensor_ = {};
  }

  const auto elapsed = std::chrono::steady_clock::now() - start;
  report.compute = {std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count()};
  if (busy_.has_value()) {
    report.energy = energy_over(*busy_, report.compute);
  }
  return report;
}

}  // namespace

Result<std::unique_ptr<InferenceEngine>> make_onnx_engine(Catalogue catalogue,
                                                          const OnnxEngineOptions& options) {
  if (options.threads < 1 || options.threads > 1024) {
    return fail(ErrorCode::InvalidArgument, "threads must be 1 to 1024");
  }
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(options.home); !runtime) {
    return runtime.error();
  }
  return std::unique_ptr<InferenceEngine>(
      std::make_unique<OnnxEngine>(std::move(catalogue), options));
}

}  // namespace juggler
