#pragma once
// Numbers in the text files of the kernel and its drivers. Whatever such a file says, nothing here
// throws or reads past it; what is no number of the form expected is nothing.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace juggler {

// Spaces, a sign, digits, and then whatever follows: some drivers append a unit ("32760 ma").
std::optional<std::int64_t> parse_integer(std::string_view text);
// The same, taken from the front of `text`.
std::optional<std::int64_t> take_integer(std::string_view& text);
// A decimal number with a point, in units of 10^-digits: "0.9465A" of 6 digits is 946,500.
std::optional<std::int64_t> parse_decimal(std::string_view text, int digits);
// "50005", without 0x.
std::optional<std::uint64_t> parse_hex(std::string_view text);

// The list form of the kernel: "0-3,5". At most 1024 entries, in the order given.
std::optional<std::vector<int>> parse_core_list(std::string_view text);

// The next line, taken from the front of `text`; nothing at its end.
std::optional<std::string_view> take_line(std::string_view& text);
// The next word (without spaces and tabs), taken from the front of `text`; empty at its end.
std::string_view take_word(std::string_view& text);

}  // namespace juggler
