#pragma once
// A JPEG of fixed size and content that looks like a photograph to a decoder, for calibration.

#include <string>

namespace juggler {

inline constexpr int kSyntheticWidth = 500;  // ImageNet's average picture
inline constexpr int kSyntheticHeight = 375;

// The same bytes on every call with the same JPEG library.
std::string synthetic_jpeg();

}  // namespace juggler
