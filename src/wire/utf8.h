#pragma once
// JSON is UTF-8: whether a text is, and what stands for it where it is not. Inside src/wire only.

#include <cstddef>
#include <string>
#include <string_view>

namespace juggler::wire {

bool is_utf8(std::string_view text);

// `text` with U+FFFD in place of every byte that belongs to no character.
std::string repaired(std::string_view text);

}  // namespace juggler::wire
