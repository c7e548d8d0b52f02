#pragma once
// One network loaded into ONNX Runtime. Exceptions of its C++ API stop here.

#include <memory>

#include "core/result.h"
#include "files/catalogue.h"
#include "inference/network.h"

namespace juggler {

struct SessionOptions {
  int threads = 1;
  // Spinning threads are faster on cores of their own, and several times slower on shared ones.
  bool allow_spinning = false;
};

// Loads a model file and checks its input and output against the catalogue.
//
// requires  load_onnx_runtime succeeded
Result<std::unique_ptr<Network>> open_onnx_session(const CatalogueVariant& variant,
                                                   const SessionOptions& options);

}  // namespace juggler
