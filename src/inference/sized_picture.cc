#include "inference/sized_picture.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "inference/jpeg_writer.h"

namespace juggler {
namespace {

constexpr int kSide = 256;
constexpr int kQuality = 75;
constexpr std::size_t kStart = 2;            // bytes of the marker that begins a JPEG
constexpr std::size_t kSegment = 4;          // bytes of a comment's marker and length
constexpr std::size_t kSegmentMax = 65'537;  // with its marker

std::string grey_jpeg() {
  const std::vector<std::uint8_t> pixels(std::size_t{kSide} * kSide, 128);
  return write_jpeg({pixels, kSide, kSide, 1}, kQuality);
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
