#pragma once
// The texts that the golden files hold, made from fixed values.

#include <string>
#include <vector>

namespace juggler {

struct GoldenCase {
  std::string name;  // of the file, without its ending
  std::string text;
};

std::vector<GoldenCase> golden_cases();

}  // namespace juggler
