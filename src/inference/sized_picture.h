#pragma once
// Pictures of a given size in bytes, for load: real to every decoder, and cheap for those who only
// look at a picture's header and its end, as the controller and twins do.

#include <string>

#include "core/units.h"

namespace juggler {

inline constexpr Bytes kSizedPictureMin = {1'024};

// A grey JPEG of 256 x 256 pixels in exactly so many bytes: what is missing is a comment.
//
// requires  size >= kSizedPictureMin
std::string sized_picture(Bytes size);

}  // namespace juggler
