#pragma once
// SHA-256 digests in lower-case hexadecimal: the names of payloads and model files.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler {

std::string sha256_hex(std::string_view bytes);

// The digest of a file's content, read in pieces.
Result<std::string> sha256_file(const std::filesystem::path& path);

// Whether `text` is 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text);

}  // namespace juggler
