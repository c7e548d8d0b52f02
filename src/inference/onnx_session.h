#pragma once
// One network loaded into ONNX Runtime. Exceptions of its C++ API stop here.

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "files/catalogue.h"

namespace juggler {

struct SessionOptions {
  int threads = 1;
  // Spinning threads are faster on cores of their own, and several times slower on shared ones.
  bool allow_spinning = false;
};

// requires  load_onnx_runtime succeeded
// thread    one at a time
class OnnxSession {
 public:
  // Loads a model file and checks its input and output against the catalogue.
  static Result<std::unique_ptr<OnnxSession>> open(const CatalogueVariant& variant,
                                                   const SessionOptions& options);
  ~OnnxSession();
  OnnxSession(const OnnxSession&) = delete;
  OnnxSession& operator=(const OnnxSession&) = delete;

  // The largest batch that one run takes; 0 is any.
  int batch_fixed() const;
  int classes() const;

  // Runs `batch` pictures that lie one after the other in `input`. The scores, batch x classes, are
  // valid until the next call.
  Result<std::span<const float>> run(std::span<float> input, int batch);

 private:
  struct Loaded;
  explicit OnnxSession(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace juggler
