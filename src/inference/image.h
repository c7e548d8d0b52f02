#pragma once
// Pictures: reading the header of a JPEG or PNG without decoding it, and decoding to RGB.
//
// Transparency is dropped, as PIL's and torchvision's conversion to RGB does, so that a network
// sees what it was trained on. 16 bits per channel become 8 (the upper ones). EXIF rotation and
// colour profiles are ignored, as there.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

// Above these a picture is refused before anything is decoded.
inline constexpr int kPictureSideMax = 16'384;
inline constexpr std::int64_t kPicturePixelsMax = 64'000'000;
// What decoding may take at most beside the decoded picture (3 bytes per pixel: 192 MB at the
// limit): a progressive JPEG's coefficients.
inline constexpr Bytes kDecoderMemoryMax = mebibytes(400);

struct ImageHeader {
  PayloadKind kind = PayloadKind::Jpeg;  // Jpeg or Png
  int width = 0;
  int height = 0;
};

// Reads kind and size; looks at no more than the header. The messages are fit for users.
//
// errors  Unsupported: not a JPEG or PNG, or of a kind that cannot be decoded; Corrupt: empty,
//         truncated or broken header; TooLarge: more pixels than the limits above.
Result<ImageHeader> read_header(std::string_view bytes);

// Whether a picture whose header was read is there up to its end. It decodes nothing: damage inside
// goes unseen.
//
// errors  Corrupt: truncated
Result<void> check_end(std::string_view bytes, PayloadKind kind);

// Pixels, height x width x 3 bytes. Keeps its memory for the next picture, up to a limit.
class Picture {
 public:
  int width() const { return width_; }
  int height() const { return height_; }
  std::uint8_t* row(int y) {
    return pixels_.get() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) * 3;
  }
  std::span<const std::uint8_t> pixels() const { return {pixels_.get(), size()}; }

  // The content is undefined afterwards.
  void resize(int width, int height);
  // Gives memory back that only an unusually large picture needed.
  void trim();

 private:
  std::size_t size() const {
    return std::size_t{3} * static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_);
  }

  int width_ = 0;
  int height_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<std::uint8_t[]> pixels_;
};

// Decodes a JPEG or PNG. A JPEG that is much larger than needed is scaled down while it is decoded,
// by 2, 4 or 8, so that its shorter side keeps at least twice `shorter_px_needed`; 0 keeps it
// whole.
//
// errors  those of read_header; Corrupt for a picture that is truncated or broken: half a picture
// is
//         never returned.
Result<void> decode_picture(std::string_view bytes, int shorter_px_needed, Picture& picture);

}  // namespace juggler
