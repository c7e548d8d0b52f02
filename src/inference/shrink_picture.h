#pragma once
// A picture reduced before it is sent: what no network looks at need not go through the broker.

#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler {

inline constexpr int kShrinkMin = 16;    // pixels of the shorter side
inline constexpr int kShrinkMax = 2048;  // beyond what any network looks at

// A JPEG of quality 90 whose shorter side has `shorter_px`, by the same filter as networks' inputs;
// without EXIF, colour profile and transparency, which no decoder here looks at. Empty where the
// picture is no larger than that already: it is best sent as it is.
//
// requires  kShrinkMin <= shorter_px <= kShrinkMax
// errors    those of decode_picture
Result<std::string> shrink_picture(std::string_view bytes, int shorter_px);

}  // namespace juggler
