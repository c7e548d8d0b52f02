#pragma once
// One network loaded into ONNX Runtime. Exceptions of its C++ API stop here.

#include <memory>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"
#include "inference/network.h"
#include "inference/provider_options.h"

namespace juggler {

struct SessionOptions {
  int threads = 1;
  // Spinning threads are faster on cores of their own, and several times slower on shared ones.
  bool allow_spinning = false;
  std::vector<ProviderChoice> providers;  // besides the CPU's
  int fixed_batch = 0;                    // fixed shapes, of so many pictures; 0: any
};

// Loads a model file and checks its input and output against the catalogue.
//
// requires  load_onnx_runtime succeeded
Result<std::unique_ptr<Network>> open_onnx_session(const CatalogueVariant& variant,
                                                   const SessionOptions& options);

}  // namespace juggler
