#pragma once
// [heat] and [processor.warm_up] of a board's profile (docs/profiles.md): read and written.

#include <string>

#include "core/board_curves.h"
#include "files/toml_reader.h"

namespace juggler {

// [heat] of a profile's root, where it has one. A mistake is the document's error.
std::optional<Heating> read_heating(TomlSection& root);
// [processor.warm_up], likewise.
std::optional<WarmUp> read_warm_up(TomlSection& processor);

std::string heating_text(const Heating& heat, const std::string& source);
std::string warm_up_text(const WarmUp& warm_up, const std::string& source);

}  // namespace juggler
