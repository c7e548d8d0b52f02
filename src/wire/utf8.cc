#include "wire/utf8.h"

#include <cstdint>
#include <cstring>

namespace juggler::wire {
namespace {

// The bytes of the character at `i`, which is not ASCII; 0 if there is none.
std::size_t character_at(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  const std::size_t size = lead >= 0xc2U && lead < 0xe0U   ? 2
                           : lead >= 0xe0U && lead < 0xf0U ? 3
                           : lead >= 0xf0U && lead < 0xf5U ? 4
                                                           : 0;
  if (size == 0 || i + size > text.size()) {
    return 0;
  }
  std::uint32_t code = lead & (0xffU >> (size + 1));
  for (std::size_t k = 1; k < size; ++k) {
    const auto next = static_cast<unsigned char>(text[i + k]);
    if ((next & 0xc0U) != 0x80U) {
      return 0;
    }
    code = (code << 6U) | (next & 0x3fU);
  }
  const bool overlong = (size == 3 && code < 0x800U) || (size == 4 && code < 0x10000U);
  return overlong || (code >= 0xd800U && code < 0xe000U) || code > 0x10ffffU ? 0 : size;
}

// Where ASCII ends, from `i` on; in eights, because nearly every text is nothing else.
std::size_t after_ascii(std::string_view text, std::size_t i) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;
  std::uint64_t eight = 0;
  while (i + sizeof eight <= text.size()) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    if ((eight & kHighBits) != 0) {
      break;
    }
    i += sizeof eight;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80U) {
    ++i;
  }
  return i;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = after_ascii(text, 0); i < text.size(); i = after_ascii(text, i)) {
    const std::size_t size = character_at(text, i);
    if (size == 0) {
      return false;
    }
    i += size;
  }
  return true;
}

std::string repaired(std::string_view text) {
  std::string good;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t ascii_end = after_ascii(text, i);
    good.append(text.substr(i, ascii_end - i));
    i = ascii_end;
    if (i < text.size()) {
      const std::size_t size = character_at(text, i);
      good.append(size == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(i, size));
      i += size == 0 ? 1 : size;
    }
  }
  return good;
}

}  // namespace juggler::wire
