#pragma once
// Pictures for tests, encoded in memory by the libraries' own encoders.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>

namespace juggler::test {

using Bytes8 = std::vector<std::uint8_t>;

// Channels of the pixel at (x, y), as many as the picture has.
using Painter = std::function<void(int x, int y, std::uint8_t* channels)>;

struct JpegSpec {
  int width = 16;
  int height = 16;
  int channels = 3;
  J_COLOR_SPACE pixels = JCS_RGB;  // of what the painter paints
  J_COLOR_SPACE file = JCS_YCbCr;
  bool progressive = false;
  int quality = 95;
};

inline std::string encode_jpeg(const JpegSpec& spec, const Painter& paint) {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = static_cast<JDIMENSION>(spec.width);
  codec.image_height = static_cast<JDIMENSION>(spec.height);
  codec.input_components = spec.channels;
  codec.in_color_space = spec.pixels;
  jpeg_set_defaults(&codec);
  jpeg_set_colorspace(&codec, spec.file);
  jpeg_set_quality(&codec, spec.quality, TRUE);
  if (spec.progressive) {
    jpeg_simple_progression(&codec);
  }
  jpeg_start_compress(&codec, TRUE);
  Bytes8 row(static_cast<std::size_t>(spec.width * spec.channels));
  for (int y = 0; y < spec.height; ++y) {
    for (int x = 0; x < spec.width; ++x) {
      paint(x, y, row.data() + static_cast<std::size_t>(x * spec.channels));
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&codec, &pointer, 1);
  }
  jpeg_finish_compress(&codec);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&codec);
  std::free(bytes);
  return encoded;
}

struct PngSpec {
  int width = 16;
  int height = 16;
  int bit_depth = 8;
  int colour = PNG_COLOR_TYPE_RGB;
  bool interlaced = false;
  std::vector<png_color> palette;
  Bytes8 palette_alpha;
};

// `rows` holds the packed rows one after the other, as the format wants them.
inline std::string encode_png(const PngSpec& spec, const Bytes8& rows) {
  std::string encoded;
  png_structp codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(codec);
  const auto write = [](png_structp c, png_bytep bytes, std::size_t count) {
    static_cast<std::string*>(png_get_io_ptr(c))
        ->append(reinterpret_cast<const char*>(bytes), count);
  };
  png_set_write_fn(codec, &encoded, write, nullptr);
  png_set_IHDR(codec, info, static_cast<png_uint_32>(spec.width),
               static_cast<png_uint_32>(spec.height), spec.bit_depth, spec.colour,
               spec.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!spec.palette.empty()) {
    png_set_PLTE(codec, info, spec.palette.data(), static_cast<int>(spec.palette.size()));
  }
  if (!spec.palette_alpha.empty()) {
    png_set_tRNS(codec, info, spec.palette_alpha.data(),
                 static_cast<int>(spec.palette_alpha.size()), nullptr);
  }
  png_write_info(codec, info);
  const std::size_t stride = rows.size() / static_cast<std::size_t>(spec.height);
  std::vector<png_bytep> pointers;
  for (int y = 0; y < spec.height; ++y) {
    pointers.push_back(const_cast<png_bytep>(rows.data()) + static_cast<std::size_t>(y) * stride);
  }
  png_write_image(codec, pointers.data());
  png_write_end(codec, nullptr);
  png_destroy_write_struct(&codec, &info);
  return encoded;
}

// One RGB colour all over.
inline std::string plain_png(int width, int height, std::uint8_t red, std::uint8_t green,
                             std::uint8_t blue) {
  Bytes8 rows;
  for (int i = 0; i < width * height; ++i) {
    rows.insert(rows.end(), {red, green, blue});
  }
  PngSpec spec;
  spec.width = width;
  spec.height = height;
  return encode_png(spec, rows);
}

// A photograph-like JPEG with detail everywhere.
inline std::string detailed_jpeg(int width, int height, bool progressive = false) {
  JpegSpec spec;
  spec.width = width;
  spec.height = height;
  spec.progressive = progressive;
  return encode_jpeg(spec, [](int x, int y, std::uint8_t* rgb) {
    rgb[0] = static_cast<std::uint8_t>((x * 7 + y * 3) % 256);
    rgb[1] = static_cast<std::uint8_t>((x * x / 9 + y) % 256);
    rgb[2] = static_cast<std::uint8_t>((x + y * y / 7) % 256);
  });
}

// The header of a PNG that claims this size; nothing follows.
inline std::string png_header_only(std::uint32_t width, std::uint32_t height) {
  std::string bytes = plain_png(1, 1, 0, 0, 0).substr(0, 33);
  for (int i = 0; i < 4; ++i) {
    bytes[static_cast<std::size_t>(16 + i)] = static_cast<char>(width >> (24 - 8 * i));
    bytes[static_cast<std::size_t>(20 + i)] = static_cast<char>(height >> (24 - 8 * i));
  }
  return bytes;
}

}  // namespace juggler::test
