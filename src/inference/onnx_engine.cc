#include "inference/onnx_engine.h"

#include <utility>

#include "inference/onnx_runtime.h"
#include "inference/onnx_session.h"
#include "inference/picture_engine.h"

namespace juggler {

Result<std::unique_ptr<InferenceEngine>> make_onnx_engine(Catalogue catalogue,
                                                          const OnnxEngineOptions& options) {
  if (options.threads < 1 || options.threads > 1024) {
    return fail(ErrorCode::InvalidArgument, "threads must be 1 to 1024");
  }
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(options.home); !runtime) {
    return runtime.error();
  }
  const SessionOptions session{options.threads, options.allow_spinning};
  const auto load = [session](const CatalogueVariant& variant) -> Result<std::unique_ptr<Network>> {
    if (Result<void> ok = verify_model_file(variant); !ok) {
      return ok.error();
    }
    return open_onnx_session(variant, session);
  };
  return make_picture_engine({std::move(catalogue), load, options.busy});
}

}  // namespace juggler
