#pragma once
// Makes TOML text pure ASCII without changing what it says, before the library sees it: toml++ 3.3
// runs into undefined behaviour on many characters beyond ASCII where it looks for whitespace
// (found by fuzzing).

#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler {

// Characters beyond ASCII become escapes in "basic" strings and question marks in comments; lines
// stay where they are.
//
// errors  the line where such a character stands anywhere else, or where the text is not UTF-8:
//         TOML allows neither, but for 'literal' strings, where "basic" ones can stand instead
Result<std::string> toml_ascii(std::string_view text, const std::string& origin);

}  // namespace juggler
