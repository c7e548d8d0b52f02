#pragma once
// A file that is there whole, or as it was before.

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace juggler {

// Writes FILE.new beside it, which then takes its place; makes its folder.
// errors  Unavailable: what could not be written, and why
Result<void> write_file(const std::filesystem::path& file, std::string_view text);

}  // namespace juggler
