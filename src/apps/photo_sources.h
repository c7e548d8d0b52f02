#pragma once
// SOURCES.toml beside photographs: what they show, and which labels count as right.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace juggler {

struct PhotoSource {
  std::string shows;
  std::vector<std::string> truth;  // labels that are right; empty: ImageNet has no class for it
};

// By file name. Empty where there is no such file.
//
// errors  a file that is no TOML, with its line
Result<std::map<std::string, PhotoSource>> load_photo_sources(const std::filesystem::path& folder);

}  // namespace juggler
