// Fuzzes what a worker of an external engine writes. However its bytes are cut into reads, the same
// frames come out, and what is decoded keeps its bounds.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "inference/external_protocol.h"

namespace {

using juggler::external::Frame;

struct Seen {
  std::vector<std::string> frames;
  bool refused = false;

  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen read_in_pieces(std::string_view bytes, std::size_t piece) {
  juggler::external::FrameReader reader;
  Seen seen;
  while (!bytes.empty()) {
    reader.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      auto next = reader.next();
      if (!next) {
        seen.refused = true;
        return seen;
      }
      if (!next->has_value()) {
        break;
      }
      seen.frames.push_back((*next)->header + '\0' + (*next)->tensor);
    }
  }
  return seen;
}

void decode(const Frame& frame) {
  using namespace juggler::external;  // NOLINT(google-build-using-namespace): all of it is theirs
  if (const auto hello = decode_hello(frame)) {
    JUGGLER_CHECK(hello->batch_max >= 1 && hello->batch_max <= 1024, "a batch out of bounds");
    JUGGLER_CHECK(hello->variants.size() <= kWorkerVariantsMax, "too many variants");
  }
  if (const auto answer = decode_answer(frame, 1)) {
    if (const auto* scores = std::get_if<Scores>(&*answer)) {
      JUGGLER_CHECK(scores->values.size() * 4 == frame.tensor.size(), "scores out of nothing");
    }
    if (const auto* loaded = std::get_if<Loaded>(&*answer)) {
      JUGGLER_CHECK(loaded->classes >= 1 && loaded->memory.count >= 0, "sizes out of bounds");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Seen whole = read_in_pieces(bytes, size + 1);
  JUGGLER_CHECK(read_in_pieces(bytes, 1) == whole, "frames that depend on how bytes come");
  juggler::external::FrameReader reader;
  reader.append(bytes);
  while (true) {
    const auto next = reader.next();
    if (!next || !next->has_value()) {
      break;
    }
    decode(**next);
  }
  decode({std::string(bytes), "0123"});  // so that JSON is reached without a frame around it
  return 0;
}
