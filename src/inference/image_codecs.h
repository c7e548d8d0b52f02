#pragma once
// The two decoders behind decode_picture. Each keeps its library, and that library's setjmp, in one
// file. They expect bytes whose header read_header has accepted.

#include <string_view>

#include "inference/image.h"

namespace juggler {

Result<void> decode_jpeg(std::string_view bytes, int shorter_px_needed, Picture& picture);
Result<void> decode_png(std::string_view bytes, Picture& picture);

}  // namespace juggler
