#pragma once
// The ports to what computes: an engine runs one batch on the thread that calls it; an executor
// runs batches on its own threads and hands back what became of them.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/consumer_messages.h"
#include "core/result.h"
#include "core/task.h"
#include "core/units.h"
#include "wire/envelope.h"

namespace juggler {

// What an engine's error says of it: TooLarge has no room, Unavailable has lost its provider or
// worker, and what cannot be loaded now cannot be loaded by the next task either.
inline EngineFailure failure_of(const Error& error) {
  return error.code == ErrorCode::TooLarge ? EngineFailure::OutOfMemory : EngineFailure::Crashed;
}

// One task of a batch, with its bytes.
struct EngineInput {
  PayloadRef payload;
  wire::Body bytes;
  int top_k = 5;
};

// Runs networks. Real implementations: ONNX Runtime, a worker process, twin, no-op.
class InferenceEngine {
 public:
  virtual ~InferenceEngine() = default;

  // Makes `variant` ready to run; loading one that is loaded does nothing.
  virtual Result<void> load(const std::string& variant) = 0;
  virtual void unload(const std::string& variant) = 0;

  // Runs one batch. A bad input fails alone; the others of its batch are answered.
  //
  // requires  load(variant) succeeded
  // thread    one at a time, any
  virtual BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) = 0;

  // What an engine has to look after while nothing runs. Returns when it wants to be called again
  // at the latest; every batch counts as a call, so that one that is busy is not asked.
  static constexpr Micros kIdleNever = {std::numeric_limits<std::int64_t>::max()};
  virtual Micros idle() { return kIdleNever; }

  // The variants that it has unloaded by itself since the last call, for want of memory.
  virtual std::vector<std::string> take_unloaded() { return {}; }
};

// A batch to run on one processor. `id` comes back with its report.
struct BatchJob {
  std::uint64_t id = 0;
  std::string processor;
  std::string variant;
  std::vector<EngineInput> inputs;
};

struct BatchDone {
  std::uint64_t id = 0;
  BatchReport report;
};

// Runs batches beside the thread that owns the brain. A processor runs its batches in order.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual void start(BatchJob job) = 0;

  // Appends what has finished since the last call. Whoever made the executor told it how to wake
  // the owner.
  virtual void collect(std::vector<BatchDone>& done) = 0;
  // Likewise the variants that engines have unloaded by themselves.
  virtual void collect_unloaded(std::vector<VariantUnloaded>& /*unloaded*/) {}
};

}  // namespace juggler
