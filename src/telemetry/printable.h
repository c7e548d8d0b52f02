#pragma once
// Text of strangers (clients, devices, the broker) as a terminal or a log may show it. Everything
// that people read passes here on its way out.

#include <string>
#include <string_view>

namespace juggler {

// The text in one line and without what a terminal would obey: line breaks and tabs become spaces;
// other control characters (C0, DEL, C1), marks that reverse the direction of writing, and bytes
// that are no UTF-8 become '?'.
std::string printable(std::string_view text);
// The same, but line breaks stay.
std::string printable_lines(std::string_view text);

}  // namespace juggler
