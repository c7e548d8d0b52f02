#include "files/toml_ascii.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace juggler {
namespace {

bool beyond_ascii(char c) { return static_cast<unsigned char>(c) > 127; }

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
};

// The UTF-8 character at the start of `text`, which begins beyond ASCII; nothing where it is none.
std::optional<CodePoint> decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t count = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < count) {
    return std::nullopt;
  }
  std::uint32_t value = lead & (0xffU >> (count + 1));
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) {
      return std::nullopt;
    }
    value = value << 6U | (byte(i) & 0x3fU);
  }
  const bool overlong = (count == 3 && value < 0x800) || (count == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) {
    return std::nullopt;
  }
  return CodePoint{value, count};
}

// The end of the string that begins with a quote at `at`: the index behind it, or the text's size.
std::size_t string_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string three(3, quote);
  const bool multi_line = text.substr(at, 3) == three;
  at += multi_line ? 3 : 1;
  while (at < text.size()) {
    if (quote == '"' && text[at] == '\\') {
      at += 2;
    } else if (multi_line ? text.substr(at, 3) == three : text[at] == quote) {
      return at + (multi_line ? 3 : 1);
    } else if (!multi_line && text[at] == '\n') {
      return at;  // unterminated: the library says so
    } else {
      ++at;
    }
  }
  return text.size();
}

// Appends a basic string with escapes; the index of the first character that has no escape there.
std::optional<std::size_t> escape_into(std::string_view basic, std::string& ascii) {
  for (std::size_t at = 0; at < basic.size();) {
    if (beyond_ascii(basic[at])) {
      const std::optional<CodePoint> point = decode(basic.substr(at));
      if (!point.has_value()) {
        return at;
      }
      ascii += fmt::format("\\U{:08X}", point->value);
      at += point->bytes;
    } else if (basic[at] == '\\' && at + 1 < basic.size()) {
      if (beyond_ascii(basic[at + 1])) {
        return at;  // no such escape
      }
      ascii += basic.substr(at, 2);
      at += 2;
    } else {
      ascii += basic[at++];
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> toml_ascii(std::string_view text, const std::string& origin) {
  if (text.starts_with("\xef\xbb\xbf")) {
    text.remove_prefix(3);
  }
  std::string ascii;
  ascii.reserve(text.size());
  std::optional<std::size_t> stray;
  for (std::size_t at = 0; at < text.size() && !stray.has_value();) {
    const char c = text[at];
    if (c == '#') {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::replace_copy_if(text.begin() + static_cast<std::ptrdiff_t>(at),
                           text.begin() + static_cast<std::ptrdiff_t>(end),
                           std::back_inserter(ascii), beyond_ascii, '?');
      at = end;
    } else if (c == '"') {
      const std::size_t end = std::min(string_end(text, at), text.size());
      if (const std::optional<std::size_t> bad = escape_into(text.substr(at, end - at), ascii)) {
        stray = at + *bad;
      }
      at = end;
    } else if (beyond_ascii(c)) {
      stray = at;
    } else {
      // A literal string may hold quotes and number signs; all of it must be ASCII.
      const std::size_t end = c == '\'' ? std::min(string_end(text, at), text.size()) : at + 1;
      const std::string_view part = text.substr(at, end - at);
      const auto bad = std::find_if(part.begin(), part.end(), beyond_ascii);
      if (bad != part.end()) {
        stray = at + static_cast<std::size_t>(bad - part.begin());
      }
      ascii += part;
      at = end;
    }
  }
  if (stray.has_value()) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(*stray);
    return fail(ErrorCode::Corrupt,
                fmt::format("{}:{}: only \"strings\" and comments may go beyond ASCII, in UTF-8",
                            origin, 1 + std::count(text.begin(), end, '\n')));
  }
  return ascii;
}

}  // namespace juggler
