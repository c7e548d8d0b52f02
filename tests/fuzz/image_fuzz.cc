// Fuzzes what reads pictures from strangers: the header reader, the look for the end,
// and both decoders. Whatever they accept must have the size that the header says, or one shrunk
// from it, and an end.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "inference/image.h"

namespace {

// Larger pictures are legal but would make a run spend its time filling memory.
constexpr std::int64_t kPixelsMax = std::int64_t{1} << 20U;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const juggler::Result<juggler::ImageHeader> header = juggler::read_header(bytes);
  juggler::Picture picture;
  if (!header) {
    JUGGLER_CHECK(!header.error().message.empty(), "an error without a message");
    JUGGLER_CHECK(!juggler::decode_picture(bytes, 0, picture), "decoded a refused picture");
    return 0;
  }
  JUGGLER_CHECK(header->width > 0 && header->width <= juggler::kPictureSideMax, "width");
  JUGGLER_CHECK(header->height > 0 && header->height <= juggler::kPictureSideMax, "height");
  if (std::int64_t{header->width} * header->height > kPixelsMax) {
    return 0;
  }
  for (const int shorter_px_needed : {0, 8}) {
    if (juggler::decode_picture(bytes, shorter_px_needed, picture)) {
      JUGGLER_CHECK(juggler::check_end(bytes, header->kind), "decoded, but has no end");
      JUGGLER_CHECK(picture.width() > 0 && picture.width() <= header->width, "decoded width");
      JUGGLER_CHECK(picture.height() > 0 && picture.height() <= header->height, "decoded height");
      JUGGLER_CHECK(shorter_px_needed > 0 || picture.width() == header->width, "whole width");
    }
  }
  return 0;
}
