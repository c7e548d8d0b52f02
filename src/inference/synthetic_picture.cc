#include "inference/synthetic_picture.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <jpeglib.h>

#include "core/check.h"
#include "core/rng.h"

namespace juggler {
namespace {

constexpr int kQuality = 90;

// Encoding our own pixels cannot fail but by a bug.
void stop(j_common_ptr /*codec*/) { JUGGLER_CHECK(false, "JPEG encoder"); }

// Two gradients with noise: about 100 kB at quality 90, like a photograph of this size.
std::vector<std::uint8_t> draw_row(int y, Rng& rng) {
  std::vector<std::uint8_t> row;
  row.reserve(std::size_t{3} * kSyntheticWidth);
  for (int x = 0; x < kSyntheticWidth; ++x) {
    const auto noise = static_cast<int>(rng.below(24));
    row.push_back(static_cast<std::uint8_t>(x * 200 / kSyntheticWidth + noise));
    row.push_back(static_cast<std::uint8_t>(y * 200 / kSyntheticHeight + noise));
    row.push_back(static_cast<std::uint8_t>((x / 40 + y / 40) % 2 * 150 + noise));
  }
  return row;
}

}  // namespace

std::string synthetic_jpeg() {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  errors.error_exit = stop;
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = kSyntheticWidth;
  codec.image_height = kSyntheticHeight;
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, kQuality, TRUE);
  jpeg_start_compress(&codec, TRUE);
  Rng rng(1);
  for (int y = 0; y < kSyntheticHeight; ++y) {
    std::vector<std::uint8_t> row = draw_row(y, rng);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&codec, &pointer, 1);
  }
  jpeg_finish_compress(&codec);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&codec);
  std::free(bytes);  // NOLINT: allocated by the library with malloc
  return encoded;
}

}  // namespace juggler
