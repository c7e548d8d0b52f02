#pragma once
// The engine around a network of pictures: decodes and preprocesses what is sent, runs the batch
// through a Network (inference/network.h), and turns scores into labels. A bad picture fails alone.

#include <functional>
#include <memory>
#include <optional>

#include "files/catalogue.h"
#include "files/energy.h"
#include "inference/memory_keeper.h"
#include "inference/network.h"
#include "runtime/engine.h"

namespace juggler {

struct PictureEngineOptions {
  Catalogue catalogue;
  NetworkLoader load_network;
  std::optional<BusyPower> busy;        // for a device without a meter
  std::function<Micros()> idle{};       // see InferenceEngine::idle; may be empty
  std::optional<MemoryRules> memory{};  // none: whatever is asked for is loaded
  int decode_threads = 1;               // that share a batch's pictures
};

std::unique_ptr<InferenceEngine> make_picture_engine(PictureEngineOptions options);

}  // namespace juggler
