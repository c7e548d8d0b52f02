#pragma once
// What the consumer and the worker of an external engine say to each other, as bytes:
// docs/engines.md is the specification. It decodes what a worker wrote, believes none of it, and
// does no I/O.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "files/catalogue.h"

namespace juggler::external {

// Another major is refused; of another minor, fields that are not known are left out.
inline constexpr std::int64_t kMajor = 1;
inline constexpr std::int64_t kMinor = 0;

// Four bytes of mark, then two 32-bit lengths, little-endian: of the JSON object and of the tensor
// that follow.
inline constexpr std::string_view kMark = "JGL1";
inline constexpr std::size_t kPrefixBytes = 12;
inline constexpr std::size_t kHeaderBytesMax = std::size_t{64} << 10U;
inline constexpr std::size_t kTensorBytesMax = std::size_t{256} << 20U;
inline constexpr std::size_t kWorkerVariantsMax = 256;

struct Frame {
  std::string header;  // JSON
  std::string tensor;  // float32, little-endian
};

// Puts frames together out of what a socket gives.
class FrameReader {
 public:
  void append(std::string_view bytes) { buffer_ += bytes; }
  // The next whole frame; nothing where more bytes are needed.
  //
  // errors  Corrupt: what comes is no frame, and the connection is of no use any more
  Result<std::optional<Frame>> next();
  bool empty() const { return buffer_.empty(); }

 private:
  std::string buffer_;  // bounded by one frame and what one read brings
};

// --- from the worker

struct Hello {
  std::string runtime;                // "PyTorch 1.13.1, CUDA 11.4"
  std::vector<std::string> variants;  // ids of the catalogue that it can load
  int batch_max = 1;
};
struct Loaded {
  int classes = 0;
  Bytes memory;  // what the variant takes while loaded; 0 where the worker does not know
};
struct Scores {
  std::vector<float> values;  // batch x classes
};
struct Unloaded {};
// It could not do what was asked, and goes on.
struct Refusal {
  std::string reason;
  bool out_of_memory = false;
};
using Answer = std::variant<Loaded, Scores, Unloaded, Refusal>;

// errors  Unsupported: another major version; Corrupt
Result<Hello> decode_hello(const Frame& frame);
// The answer to request `id`.
//
// errors  Corrupt: also an answer to another request
Result<Answer> decode_answer(const Frame& frame, std::int64_t id);

// --- to the worker: prefix and JSON. A tensor's bytes follow those of `run`.

std::string encode_load(std::int64_t id, const CatalogueVariant& variant);
std::string encode_run(std::int64_t id, const std::string& variant, int batch,
                       std::size_t tensor_bytes);
std::string encode_unload(std::int64_t id, const std::string& variant);

// A frame as a worker would write it, for workers of tests.
std::string encode_frame(std::string_view header, std::string_view tensor);

}  // namespace juggler::external
