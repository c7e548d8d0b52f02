#include "inference/shrink_picture.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "inference/image.h"
#include "inference/jpeg_writer.h"
#include "inference/preprocess.h"

namespace juggler {
namespace {

constexpr int kQuality = 90;

// From three planes of 0 to 1 to three bytes a pixel.
std::vector<std::uint8_t> interleaved(const std::vector<float>& planes) {
  const std::size_t plane = planes.size() / 3;
  std::vector<std::uint8_t> pixels(planes.size());
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const float value = std::clamp(planes[c * plane + i], 0.0F, 1.0F);
      pixels[3 * i + c] = static_cast<std::uint8_t>(std::lrintf(value * 255.0F));
    }
  }
  return pixels;
}

}  // namespace

Result<std::string> shrink_picture(std::string_view bytes, int shorter_px) {
  JUGGLER_CHECK(shorter_px >= kShrinkMin && shorter_px <= kShrinkMax,
                "a side that a picture can have");
  const Result<ImageHeader> header = read_header(bytes);
  if (!header) {
    return header.error();
  }
  if (std::min(header->width, header->height) <= shorter_px) {
    return std::string();
  }
  Picture picture;
  if (Result<void> decoded = decode_picture(bytes, shorter_px, picture); !decoded) {
    return decoded.error();
  }
  const std::int64_t shorter = std::min(picture.width(), picture.height());
  InputSpec whole;
  whole.resize_shorter_px = shorter_px;
  whole.width = static_cast<int>(picture.width() * std::int64_t{shorter_px} / shorter);
  whole.height = static_cast<int>(picture.height() * std::int64_t{shorter_px} / shorter);
  whole.mean = {0.0F, 0.0F, 0.0F};
  whole.stddev = {1.0F, 1.0F, 1.0F};
  std::vector<float> planes(whole.floats());
  Preprocessor().run({picture.pixels().data(), picture.width(), picture.height()}, whole, planes);
  return write_jpeg({interleaved(planes), whole.width, whole.height, 3}, kQuality);
}

}  // namespace juggler
