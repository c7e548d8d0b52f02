#include "inference/picture_engine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "inference/helper_threads.h"
#include "inference/image.h"
#include "inference/payload_check.h"
#include "inference/preprocess.h"
#include "inference/top_labels.h"

namespace juggler {
namespace {

// How often an idle engine looks whether memory is short: one small file read.
constexpr Micros kLookAtMemory = seconds(2);

// Pictures with more pixels are decoded one at a time: their decoders may take 400 MiB each.
constexpr std::int64_t kPixelsDecodedBeside = 4'000'000;

// A tensor for more pictures than this is given back after the run.
constexpr std::size_t kTensorFloatsKept = std::size_t{8} * 3 * 260 * 260;

// Puts pictures into tensors. Keeps its memory for the next.
//
// thread  one at a time
class PictureReader {
 public:
  Result<void> fill(const EngineInput& input, const InputSpec& spec, std::span<float> tensor);

 private:
  Picture picture_;
  Preprocessor preprocessor_;
};

Result<void> PictureReader::fill(const EngineInput& input, const InputSpec& spec,
                                 std::span<float> tensor) {
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
    preprocessor_.run({pixels, input.payload.width, input.payload.height}, spec, tensor);
    return {};
  }
  if (Result<void> ok = decode_picture(bytes, spec.resize_shorter_px, picture_); !ok) {
    return ok;
  }
  preprocessor_.run({picture_.pixels().data(), picture_.width(), picture_.height()}, spec, tensor);
  picture_.trim();
  return {};
}

bool is_large(const EngineInput& input) {
  if (input.payload.kind != PayloadKind::Jpeg && input.payload.kind != PayloadKind::Png) {
    return false;
  }
  const Result<ImageHeader> header = read_header(*input.bytes);
  return header && static_cast<std::int64_t>(header->width) * header->height > kPixelsDecodedBeside;
}

class PictureEngine final : public InferenceEngine {
 public:
  explicit PictureEngine(PictureEngineOptions options)
      : catalogue_(std::move(options.catalogue)),
        load_network_(std::move(options.load_network)),
        busy_(options.busy),
        idle_(std::move(options.idle)),
        helpers_(options.decode_threads),
        readers_(helpers_.workers()) {
    if (options.memory.has_value()) {
      keeper_.emplace(std::move(*options.memory), [this](const std::string& variant) {
        loaded_.erase(variant);
        unloaded_.push_back(variant);
      });
    }
  }

  Result<void> load(const std::string& variant) override;
  void unload(const std::string& variant) override {
    loaded_.erase(variant);
    if (keeper_.has_value()) {
      keeper_->gone(variant);
    }
  }
  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override;
  Micros idle() override;
  std::vector<std::string> take_unloaded() override { return std::exchange(unloaded_, {}); }

 private:
  struct Loaded {
    const CatalogueVariant* entry = nullptr;
    std::unique_ptr<Network> network;
    std::vector<std::string> labels;
  };

  std::vector<Result<void>> fill(const InputSpec& spec, std::span<const EngineInput> inputs);
  void answer(Loaded& loaded, std::span<const EngineInput> inputs,
              const std::vector<std::size_t>& good, BatchReport& report);

  Catalogue catalogue_;
  NetworkLoader load_network_;
  std::optional<BusyPower> busy_;
  std::function<Micros()> idle_;
  std::optional<MemoryKeeper> keeper_;
  std::map<std::string, Loaded> loaded_;
  std::vector<std::string> unloaded_;  // by the keeper, and not told yet
  HelperThreads helpers_;
  std::vector<PictureReader> readers_;  // one for each thread
  std::vector<float> tensor_;           // the batch
};

Result<void> PictureEngine::load(const std::string& variant) {
  if (const auto known = loaded_.find(variant); known != loaded_.end()) {
    if (known->second.network->usable()) {
      if (keeper_.has_value()) {
        keeper_->used(variant);
      }
      return {};
    }
    unload(variant);
  }
  const CatalogueVariant* entry = catalogue_.find(variant);
  if (entry == nullptr) {
    return fail(ErrorCode::NotFound, "variant '" + variant + "' is not in the model catalogue");
  }
  Result<std::vector<std::string>> labels = load_labels(entry->labels);
  if (!labels) {
    return labels.error();
  }
  if (keeper_.has_value()) {
    if (Result<void> room = keeper_->make_room(variant); !room) {
      return room;
    }
  }
  Result<std::unique_ptr<Network>> network = load_network_(*entry);
  if (!network) {
    return network.error();
  }
  if (labels->size() != static_cast<std::size_t>((*network)->classes())) {
    return fail(ErrorCode::InvalidArgument, variant + ": the network has " +
                                                std::to_string((*network)->classes()) +
                                                " classes, " + entry->labels.string() + " has " +
                                                std::to_string(labels->size()) + " labels");
  }
  loaded_[variant] = {entry, std::move(*network), std::move(*labels)};
  if (keeper_.has_value()) {
    keeper_->used(variant);
  }
  return {};
}

Micros PictureEngine::idle() {
  Micros again = idle_ ? idle_() : kIdleNever;
  if (keeper_.has_value()) {
    keeper_->relieve();
    again = std::min(again, kLookAtMemory);
  }
  return again;
}

// The inputs into their places in the tensor, several at a time.
std::vector<Result<void>> PictureEngine::fill(const InputSpec& spec,
                                              std::span<const EngineInput> inputs) {
  std::vector<Result<void>> filled(inputs.size());
  const auto read = [&](std::size_t i, std::size_t worker) {
    const std::span<float> place(tensor_.data() + i * spec.floats(), spec.floats());
    filled[i] = readers_[worker].fill(inputs[i], spec, place);
  };
  std::vector<std::size_t> large;
  for (std::size_t i = 0; inputs.size() > 1 && i < inputs.size(); ++i) {
    if (is_large(inputs[i])) {
      large.push_back(i);
    }
  }
  helpers_.run(inputs.size(), [&](std::size_t i, std::size_t worker) {
    if (!std::binary_search(large.begin(), large.end(), i)) {
      read(i, worker);
    }
  });
  for (const std::size_t i : large) {
    read(i, 0);
  }
  return filled;
}

// Runs the good inputs, which lie in the tensor in this order, and writes their outputs.
void PictureEngine::answer(Loaded& loaded, std::span<const EngineInput> inputs,
                           const std::vector<std::size_t>& good, BatchReport& report) {
  const std::size_t floats = loaded.entry->input.floats();
  const auto classes = static_cast<std::size_t>(loaded.network->classes());
  const auto limit = static_cast<std::size_t>(loaded.network->batch_max());
  for (std::size_t done = 0, step = 0; done < good.size(); done += step) {
    step = limit == 0 ? good.size() : std::min(limit, good.size() - done);
    const std::span<float> tensor(tensor_.data() + done * floats, step * floats);
    const Result<std::span<const float>> scores =
        loaded.network->run(tensor, static_cast<int>(step));
    if (!scores) {
      report.failure = failure_of(scores.error());
    }
    for (std::size_t i = 0; i < step; ++i) {
      const EngineInput& input = inputs[good[done + i]];
      EngineOutput& output = report.outputs[good[done + i]];
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

BatchReport PictureEngine::run(const std::string& variant, std::span<const EngineInput> inputs) {
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
  const std::vector<Result<void>> filled = fill(loaded.entry->input, inputs);
  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!filled[i]) {
      report.outputs[i] = bad_payload(filled[i].error().message);
      continue;
    }
    if (good.size() < i) {  // one before it was bad
      std::copy_n(tensor_.begin() + static_cast<std::ptrdiff_t>(i * floats), floats,
                  tensor_.begin() + static_cast<std::ptrdiff_t>(good.size() * floats));
    }
    good.push_back(i);
  }
  if (!good.empty()) {
    answer(loaded, inputs, good, report);
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

std::unique_ptr<InferenceEngine> make_picture_engine(PictureEngineOptions options) {
  return std::make_unique<PictureEngine>(std::move(options));
}

}  // namespace juggler
