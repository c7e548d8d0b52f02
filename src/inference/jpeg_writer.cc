#include "inference/jpeg_writer.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "core/check.h"

namespace juggler {
namespace {

// Encoding pixels that are there cannot fail but by a bug.
void stop(j_common_ptr /*codec*/) { JUGGLER_CHECK(false, "JPEG encoder"); }

}  // namespace

std::string write_jpeg(const JpegPixels& picture, int quality) {
  const auto stride =
      static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.channels);
  JUGGLER_CHECK(picture.width > 0 && picture.height > 0 &&
                    picture.pixels.size() == stride * static_cast<std::size_t>(picture.height),
                "as many pixels as the sides say");
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  errors.error_exit = stop;
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = static_cast<JDIMENSION>(picture.width);
  codec.image_height = static_cast<JDIMENSION>(picture.height);
  codec.input_components = picture.channels;
  codec.in_color_space = picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  codec.optimize_coding = TRUE;
  jpeg_start_compress(&codec, TRUE);
  const std::uint8_t* row = picture.pixels.data();
  for (int y = 0; y < picture.height; ++y) {
    // The library's type is not const; it does not write to it.
    auto* pointer = const_cast<JSAMPROW>(row);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    jpeg_write_scanlines(&codec, &pointer, 1);
    row += stride;
  }
  jpeg_finish_compress(&codec);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&codec);
  std::free(bytes);  // NOLINT(cppcoreguidelines-no-malloc): the library allocated it
  return encoded;
}

}  // namespace juggler
