#pragma once
// Texts that others wrote, cut to what is kept of them.

#include <cstddef>
#include <string>
#include <string_view>

namespace juggler {

// `text`, or as much of it as leaves whole characters of UTF-8 within `bytes_max`, with an
// ellipsis.
//
// requires  bytes_max >= 3, the ellipsis
std::string shortened(std::string_view text, std::size_t bytes_max);

}  // namespace juggler
