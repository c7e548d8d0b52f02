// Own code rather than the decoders': the controller links no decoder state into admission, the
// two formats need a few lines each, and those are fuzzed.

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "inference/image.h"

namespace juggler {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegStart = "\xff\xd8\xff";

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

unsigned big_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  unsigned value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value = value << 8U | byte_at(bytes, at + i);
  }
  return value;
}

Error corrupt(std::string_view what) {
  return fail(ErrorCode::Corrupt, "not a usable picture: " + std::string(what));
}

Result<ImageHeader> checked(PayloadKind kind, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) {
    return corrupt("its header says " + std::to_string(width) + " x " + std::to_string(height) +
                   " pixels");
  }
  if (width > kPictureSideMax || height > kPictureSideMax || width * height > kPicturePixelsMax) {
    return fail(ErrorCode::TooLarge, "picture of " + std::to_string(width) + " x " +
                                         std::to_string(height) + " pixels is too large: at most " +
                                         std::to_string(kPictureSideMax) + " pixels a side and " +
                                         std::to_string(kPicturePixelsMax / 1'000'000) +
                                         " megapixels");
  }
  return ImageHeader{kind, static_cast<int>(width), static_cast<int>(height)};
}

// Signature, then the IHDR chunk: length 13, width, height, bit depth, colour type, three methods.
Result<ImageHeader> png_header(std::string_view bytes) {
  if (bytes.size() < 33) {
    return corrupt("PNG truncated inside its header");
  }
  if (big_endian(bytes, 8, 4) != 13 || bytes.substr(12, 4) != "IHDR") {
    return corrupt("PNG without a header chunk");
  }
  const unsigned width = big_endian(bytes, 16, 4);
  const unsigned height = big_endian(bytes, 20, 4);
  if (width > 0x7fffffffU || height > 0x7fffffffU) {
    return corrupt("PNG header with an impossible size");
  }
  const unsigned depth = byte_at(bytes, 24);
  const unsigned colour = byte_at(bytes, 25);
  const bool depth_known = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
  const bool colour_known = colour == 0 || colour == 2 || colour == 3 || colour == 4 || colour == 6;
  if (!depth_known || !colour_known || byte_at(bytes, 26) != 0 || byte_at(bytes, 27) != 0 ||
      byte_at(bytes, 28) > 1) {
    return corrupt("PNG header with an impossible bit depth, colour type or method");
  }
  return checked(PayloadKind::Png, width, height);
}

bool stands_alone(unsigned marker) { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7); }

bool is_frame(unsigned marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// A frame header: length, precision, height, width, number of components.
Result<ImageHeader> jpeg_frame(std::string_view bytes, std::size_t at, unsigned marker) {
  if (bytes.size() - at < 8) {
    return corrupt("JPEG truncated inside its header");
  }
  const bool baseline_or_progressive =
      marker <= 0xc2 || marker == 0xc9 || marker == 0xca;  // the latter two: arithmetic coding
  if (!baseline_or_progressive) {
    return fail(ErrorCode::Unsupported, "lossless and hierarchical JPEG cannot be decoded");
  }
  if (byte_at(bytes, at + 2) != 8) {
    return fail(ErrorCode::Unsupported, "JPEG with " + std::to_string(byte_at(bytes, at + 2)) +
                                            " bits per sample cannot be decoded, only 8");
  }
  const unsigned components = byte_at(bytes, at + 7);
  if (components != 1 && components != 3 && components != 4) {
    return fail(ErrorCode::Unsupported,
                "JPEG with " + std::to_string(components) + " colour components cannot be decoded");
  }
  return checked(PayloadKind::Jpeg, big_endian(bytes, at + 5, 2), big_endian(bytes, at + 3, 2));
}

// Segments, each a marker and its length, until the frame header.
Result<ImageHeader> jpeg_header(std::string_view bytes) {
  std::size_t at = 2;
  while (at < bytes.size()) {
    if (byte_at(bytes, at) != 0xff) {
      return corrupt("JPEG with a broken header");
    }
    while (at < bytes.size() && byte_at(bytes, at) == 0xff) {
      ++at;  // any number of fill bytes
    }
    if (at == bytes.size()) {
      break;
    }
    const unsigned marker = byte_at(bytes, at++);
    if (is_frame(marker)) {
      return jpeg_frame(bytes, at, marker);
    }
    if (marker == 0xd9 || marker == 0xda || marker == 0x00) {
      return corrupt("JPEG whose data begins before its size is stated");
    }
    if (stands_alone(marker)) {
      continue;
    }
    if (bytes.size() - at < 2) {
      break;
    }
    const unsigned length = big_endian(bytes, at, 2);
    if (length < 2) {
      return corrupt("JPEG with a broken header");
    }
    at += length;
  }
  return corrupt("JPEG truncated inside its header");
}

struct Magic {
  std::size_t at = 0;
  std::string_view bytes;
  std::string_view name;
};

// Formats that people send by mistake, for a better message.
constexpr std::array<Magic, 9> kOthers{{{0, "GIF8", "a GIF"},
                                        {8, "WEBP", "a WebP picture"},
                                        {0, "BM", "a BMP"},
                                        {0, std::string_view("II*\0", 4), "a TIFF"},
                                        {0, std::string_view("MM\0*", 4), "a TIFF"},
                                        {4, "ftyp", "a HEIC, AVIF or MP4 file"},
                                        {0, "%PDF", "a PDF"},
                                        {0, "<svg", "an SVG"},
                                        {0, "PK\x03\x04", "a ZIP archive"}}};

std::optional<std::string_view> other_format(std::string_view bytes) {
  const auto at = std::find_if(kOthers.begin(), kOthers.end(), [&](const Magic& magic) {
    return bytes.size() > magic.at && bytes.substr(magic.at).starts_with(magic.bytes);
  });
  return at != kOthers.end() ? std::optional(at->name) : std::nullopt;
}

}  // namespace

Result<ImageHeader> read_header(std::string_view bytes) {
  if (bytes.empty()) {
    return corrupt("it has 0 bytes");
  }
  if (bytes.starts_with(kPngSignature)) {
    return png_header(bytes);
  }
  if (bytes.starts_with(kJpegStart)) {
    return jpeg_header(bytes);
  }
  if (kPngSignature.starts_with(bytes) || kJpegStart.starts_with(bytes)) {
    return corrupt("truncated inside its first bytes");
  }
  if (const std::optional<std::string_view> name = other_format(bytes)) {
    return fail(ErrorCode::Unsupported,
                "not a picture that Juggler reads: " + std::string(*name) + "; send JPEG or PNG");
  }
  return fail(ErrorCode::Unsupported, "not a picture: neither JPEG nor PNG");
}

}  // namespace juggler
