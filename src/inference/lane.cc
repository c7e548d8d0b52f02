#include "inference/lane.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "inference/external_engine.h"
#include "inference/machine.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/provider_options.h"

namespace juggler {
namespace {

bool named(const Variant& variant, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
           return answers(variant, name);
         });
}

// What a GPU uses on a board is the system's memory, and none of this process's.
Bytes system_memory_used() { return Bytes{0} - read_machine().memory; }

Result<PreparedLane> prepare_onnx(const LaneSpec& lane, const LaneContext& context) {
  const Result<OnnxRuntime> runtime = load_onnx_runtime(context.home);
  if (!runtime) {
    return runtime.error();
  }
  PreparedLane prepared;
  CalibrationLane& calibration = prepared.calibration;
  calibration.runtime =
      fmt::format("ONNX Runtime {}, {}", runtime->version,
                  lane.engine == LaneEngine::Cpu ? "CPU" : std::string(to_string(lane.engine)));
  const bool on_cpu = lane.kind == ProcessorKind::Cpu;
  calibration.threads = !on_cpu ? 1 : lane.threads > 0 ? lane.threads : context.threads;
  calibration.batch_max = lane_batch_max(lane);
  // TensorRT builds its engines; CUDA its context, which is no variant's memory.
  calibration.builds_first = !on_cpu;
  calibration.memory = on_cpu ? resident_memory : system_memory_used;
  const Catalogue& catalogue = *context.catalogue;
  for (const CatalogueVariant& entry : catalogue.variants()) {
    const Variant& variant = entry.variant;
    if (!named(variant, context.wanted) || !named(variant, lane.variants)) {
      continue;
    }
    if (lane_serves(lane, variant)) {
      prepared.variants.push_back(variant.id);
    } else {
      prepared.notes.push_back(fmt::format("{}/{}: left out, {} does not run {}", lane.processor,
                                           variant.id, to_string(lane.engine), variant.precision));
    }
  }
  prepared.make_engine = [=](ServingOptions options) {
    return make_onnx_engine(catalogue, {context.home, options.threads, context.allow_spinning,
                                        options.busy, lane, std::move(options.memory)});
  };
  // Asks for the provider now, and not at the first network.
  if (auto engine = prepared.make_engine({std::max(calibration.threads, 1)}); !engine) {
    return engine.error();
  }
  return prepared;
}

Result<PreparedLane> prepare_external(const LaneSpec& lane, const LaneContext& context) {
  external::WorkerOptions options;
  options.name = lane.processor;
  options.command = lane.external.command;
  options.socket =
      context.home / "engines" / fmt::format("{}-{}.sock", context.device, lane.processor);
  options.log = context.home / "logs" / fmt::format("{}-{}.log", context.device, lane.processor);
  options.start_max = lane.external.start_max;
  options.load_max = lane.external.load_max;
  options.run_max = lane.external.run_max;
  Result<std::unique_ptr<external::Worker>> started = external::Worker::start(std::move(options));
  if (!started) {
    return started.error();
  }
  const std::shared_ptr<external::Worker> worker = std::move(*started);
  const Result<external::Hello> hello = worker->await_hello();
  if (!hello) {
    return hello.error();
  }
  PreparedLane prepared;
  CalibrationLane& calibration = prepared.calibration;
  calibration.runtime = hello->runtime;
  calibration.threads = 1;  // the worker's own matter
  calibration.batch_max =
      lane.batch_max > 0 ? std::min(lane.batch_max, hello->batch_max) : hello->batch_max;
  // What its loads took, by its own word: only differences count.
  const auto memory = std::make_shared<Bytes>();
  calibration.memory = [memory] { return *memory; };
  const Catalogue& catalogue = *context.catalogue;
  for (const std::string& id : hello->variants) {
    const CatalogueVariant* entry = catalogue.find(id);
    if (entry == nullptr) {
      prepared.notes.push_back(lane.processor + "/" + id +
                               ": left out, it is not in the model catalogue");
    } else if (named(entry->variant, context.wanted) && named(entry->variant, lane.variants)) {
      prepared.variants.push_back(id);
    }
  }
  prepared.make_engine = [=](ServingOptions serving) -> Result<std::unique_ptr<InferenceEngine>> {
    external::ExternalEngine engine;
    engine.worker = worker;
    engine.catalogue = catalogue;
    engine.busy = serving.busy;
    engine.loaded = [memory](const std::string& /*variant*/, Bytes taken) { *memory += taken; };
    engine.memory = std::move(serving.memory);
    return external::make_external_engine(std::move(engine));
  };
  return prepared;
}

}  // namespace

Result<PreparedLane> prepare_lane(const LaneSpec& lane, const LaneContext& context) {
  Result<PreparedLane> prepared = lane.engine == LaneEngine::External
                                      ? prepare_external(lane, context)
                                      : prepare_onnx(lane, context);
  if (!prepared) {
    return prepared;
  }
  if (prepared->variants.empty()) {
    return fail(ErrorCode::NotFound,
                fmt::format("{} can serve none of the variants that are wanted", lane.processor));
  }
  CalibrationLane& calibration = prepared->calibration;
  calibration.processor = lane.processor;
  calibration.kind = lane.kind;
  calibration.make_engine = [make = prepared->make_engine](int threads) { return make({threads}); };
  return prepared;
}

Result<std::vector<LaneSpec>> lanes_of_machine(const std::filesystem::path& home) {
  const Result<OnnxRuntime> runtime = load_onnx_runtime(home);
  if (!runtime) {
    return runtime.error();
  }
  return default_lanes(runtime->providers);
}

}  // namespace juggler
