#pragma once
// Base64 as JSON carries bytes (RFC 4648, section 4), with padding and without line breaks.

#include <optional>
#include <string>
#include <string_view>

namespace juggler::http {

// Nothing for a text that is not exactly what an encoder writes.
std::optional<std::string> base64_bytes(std::string_view text);

}  // namespace juggler::http
