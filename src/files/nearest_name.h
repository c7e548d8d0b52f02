#pragma once
// What somebody probably meant who wrote a name that is none.

#include <string>
#include <string_view>
#include <vector>

namespace juggler {

// "Did you mean 'x'? Known are: x, y, z." The question only where a name is near; at most 40 names.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace juggler
