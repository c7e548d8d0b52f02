#include "inference/sized_picture.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <jpeglib.h>

#include "core/check.h"

namespace juggler {
namespace {

constexpr std::size_t kSide = 256;
constexpr std::size_t kStart = 2;            // bytes of the marker that begins a JPEG
constexpr std::size_t kSegment = 4;          // bytes of a comment's marker and length
constexpr std::size_t kSegmentMax = 65'537;  // with its marker

// Encoding our own pixels cannot fail but by a bug.
void stop(j_common_ptr /*codec*/) { JUGGLER_CHECK(false, "JPEG encoder"); }

std::string grey_jpeg() {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  errors.error_exit = stop;
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = kSide;
  codec.image_height = kSide;
  codec.input_components = 1;
  codec.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&codec);
  codec.optimize_coding = TRUE;
  jpeg_start_compress(&codec, TRUE);
  std::vector<std::uint8_t> row(kSide, 128);
  for (std::size_t y = 0; y < kSide; ++y) {
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&codec, &pointer, 1);
  }
  jpeg_finish_compress(&codec);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&codec);
  std::free(bytes);  // NOLINT(cppcoreguidelines-no-malloc): the library allocated it
  return encoded;
}

// So many bytes of comments, and of fill bytes where a comment has no room.
std::string padding(std::size_t bytes) {
  std::string text;
  while (bytes >= kSegment) {
    const std::size_t segment = bytes < kSegmentMax ? bytes : kSegmentMax;
    const std::size_t length = segment - 2;
    text += {'\xff', '\xfe', static_cast<char>(length >> 8U), static_cast<char>(length & 0xffU)};
    text.append(segment - kSegment, ' ');
    bytes -= segment;
  }
  return text.append(bytes, '\xff');
}

}  // namespace

std::string sized_picture(Bytes size) {
  std::string picture = grey_jpeg();
  const auto wanted = static_cast<std::size_t>(size.count);
  JUGGLER_CHECK(size >= kSizedPictureMin && picture.size() <= wanted, "the picture's least size");
  picture.insert(kStart, padding(wanted - picture.size()));
  return picture;
}

}  // namespace juggler
