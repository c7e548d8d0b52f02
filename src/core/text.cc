#include "core/text.h"

namespace juggler {

std::string shortened(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kEllipsis = "\xe2\x80\xa6";
  if (text.size() <= bytes_max) {
    return std::string(text);
  }
  std::size_t end = bytes_max - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  return std::string(text.substr(0, end)).append(kEllipsis);
}

}  // namespace juggler
