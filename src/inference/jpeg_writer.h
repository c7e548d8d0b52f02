#pragma once
// Pixels to a JPEG.

#include <cstdint>
#include <span>
#include <string>

namespace juggler {

struct JpegPixels {
  std::span<const std::uint8_t> pixels;  // height x width x channels
  int width = 0;
  int height = 0;
  int channels = 3;  // 1: grey, 3: RGB
};

// The same bytes on every call with the same JPEG library.
//
// quality   1 to 100, libjpeg's
// requires  a side of 1 to 65,500, and as many pixels as the sides say
std::string write_jpeg(const JpegPixels& picture, int quality);

}  // namespace juggler
