#pragma once
// The port to one loaded network: a tensor of pictures in, scores out. What runs it may be ONNX
// Runtime in this process or a worker in another; pictures and labels are the engine's matter.

#include <functional>
#include <memory>
#include <span>

#include "core/result.h"
#include "files/catalogue.h"

namespace juggler {

class Network {
 public:
  virtual ~Network() = default;

  // The largest batch that one run takes; 0 is any.
  virtual int batch_max() const = 0;
  virtual int classes() const = 0;

  // Whether it can still run: a worker that was started anew has forgotten what it had loaded.
  virtual bool usable() const = 0;

  // Runs `batch` pictures that lie one after the other in `input`, float32 NCHW. The scores, batch
  // x classes, are valid until the next call.
  //
  // thread  one at a time
  virtual Result<std::span<const float>> run(std::span<float> input, int batch) = 0;
};

// Loads a variant of the catalogue.
using NetworkLoader =
    std::function<Result<std::unique_ptr<Network>>(const CatalogueVariant& variant)>;

}  // namespace juggler
