#pragma once
// What this build is.

#include <string>

namespace juggler {

// "0.1.0 (5d39e70)"
std::string version_short();
// Several lines: version, commit, compiler, engines.
std::string version_text(const std::string& program);

}  // namespace juggler
