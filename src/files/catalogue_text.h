#pragma once
// A catalogue as text, for the files that programs write: what a person has added, and what a
// device holds.

#include <span>
#include <string>

#include "files/catalogue.h"

namespace juggler {

// Catalogue::parse() reads the same entries from it. Model and labels go by their file names.
std::string catalogue_text(std::span<const CatalogueVariant> variants, std::string_view generated);

}  // namespace juggler
