#include <utility>

#include "inference/image.h"
#include "inference/image_codecs.h"

namespace juggler {
namespace {

// A 2048 x 1365 photograph; more is given back after use.
constexpr std::size_t kKeptBytesMax = std::size_t{8} << 20U;

}  // namespace

void Picture::resize(int width, int height) {
  width_ = width;
  height_ = height;
  if (size() > capacity_) {
    pixels_.reset();
    // Not value-initialised: every byte is written by a decoder.
    pixels_.reset(new std::uint8_t[size()]);  // NOLINT(cppcoreguidelines-owning-memory)
    capacity_ = size();
  }
}

void Picture::trim() {
  if (capacity_ > kKeptBytesMax) {
    pixels_.reset();
    capacity_ = 0;
    width_ = 0;
    height_ = 0;
  }
}

Result<void> decode_picture(std::string_view bytes, int shorter_px_needed, Picture& picture) {
  const Result<ImageHeader> header = read_header(bytes);
  if (!header) {
    return header.error();
  }
  return header->kind == PayloadKind::Png ? decode_png(bytes, picture)
                                          : decode_jpeg(bytes, shorter_px_needed, picture);
}

}  // namespace juggler
