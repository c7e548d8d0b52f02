#pragma once
// The engine that runs its networks in a worker process (docs/engines.md). Decoding, preprocessing
// and labels are ours; the worker sees tensors.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "files/catalogue.h"
#include "files/energy.h"
#include "inference/external_worker.h"
#include "inference/memory_keeper.h"
#include "runtime/engine.h"

namespace juggler::external {

struct ExternalEngine {
  std::shared_ptr<Worker> worker;
  Catalogue catalogue;
  std::optional<BusyPower> busy;
  // What the worker says that a variant takes, told after each load; may be empty.
  std::function<void(const std::string& variant, Bytes memory)> loaded;
  std::optional<MemoryRules> memory{};
};

std::unique_ptr<InferenceEngine> make_external_engine(ExternalEngine options);

}  // namespace juggler::external
