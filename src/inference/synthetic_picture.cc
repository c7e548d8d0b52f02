#include "inference/synthetic_picture.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/rng.h"
#include "inference/jpeg_writer.h"

namespace juggler {
namespace {

constexpr int kQuality = 90;

// Two gradients with noise: about 100 kB at quality 90, like a photograph of this size.
void draw_row(int y, Rng& rng, std::vector<std::uint8_t>& pixels) {
  for (int x = 0; x < kSyntheticWidth; ++x) {
    const auto noise = static_cast<int>(rng.below(24));
    pixels.push_back(static_cast<std::uint8_t>(x * 200 / kSyntheticWidth + noise));
    pixels.push_back(static_cast<std::uint8_t>(y * 200 / kSyntheticHeight + noise));
    pixels.push_back(static_cast<std::uint8_t>((x / 40 + y / 40) % 2 * 150 + noise));
  }
}

}  // namespace

std::string synthetic_jpeg() {
  Rng rng(1);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(std::size_t{3} * kSyntheticWidth * kSyntheticHeight);
  for (int y = 0; y < kSyntheticHeight; ++y) {
    draw_row(y, rng, pixels);
  }
  return write_jpeg({pixels, kSyntheticWidth, kSyntheticHeight, 3}, kQuality);
}

}  // namespace juggler
