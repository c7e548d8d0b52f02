// Whether a picture is there up to its end, by its structure alone. Like image_header.cc, own code
// and fuzzed: whatever the decoders accept must pass here too.

#include <algorithm>
#include <cstring>
#include <string>

#include "inference/image.h"

namespace juggler {
namespace {

constexpr unsigned kEndOfImage = 0xd9;

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

// Chunks, each a length, a type, data and a checksum, until the one that ends the picture.
bool png_ends(std::string_view bytes) {
  std::size_t at = 8;
  while (bytes.size() - at >= 12) {
    const std::size_t length = byte_at(bytes, at) << 24U | byte_at(bytes, at + 1) << 16U |
                               byte_at(bytes, at + 2) << 8U | byte_at(bytes, at + 3);
    if (bytes.size() - at - 12 < length) {
      return false;
    }
    if (bytes.substr(at + 4, 4) == "IEND") {
      return true;
    }
    at += 12 + length;
  }
  return false;
}

// Markers and their segments; between them, entropy-coded data, in which no marker can occur but
// restarts. So the end marker of a thumbnail, inside a segment, is passed over.
bool jpeg_ends(std::string_view bytes) {
  std::size_t at = 2;
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xff, bytes.size() - at);
    if (found == nullptr) {
      return false;
    }
    at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    while (at < bytes.size() && byte_at(bytes, at) == 0xff) {
      ++at;  // fill bytes
    }
    if (at >= bytes.size()) {
      return false;
    }
    const unsigned marker = byte_at(bytes, at++);
    if (marker == kEndOfImage) {
      return true;
    }
    const bool has_segment = marker >= 0xc0 && marker != 0xd8 && (marker < 0xd0 || marker > 0xd7);
    if (has_segment) {
      if (bytes.size() - at < 2) {
        return false;
      }
      at += std::max<std::size_t>(byte_at(bytes, at) << 8U | byte_at(bytes, at + 1), 2);
    }
  }
  return false;
}

}  // namespace

Result<void> check_end(std::string_view bytes, PayloadKind kind) {
  if (kind == PayloadKind::Png ? png_ends(bytes) : jpeg_ends(bytes)) {
    return {};
  }
  return fail(ErrorCode::Corrupt, std::string(kind == PayloadKind::Png ? "PNG" : "JPEG") +
                                      " cannot be decoded: truncated");
}

}  // namespace juggler
