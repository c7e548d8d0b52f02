#pragma once
// toml++ with the settings that all files of a program have to share: its functions are inline, and
// the linker keeps one of each.

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_MAX_NESTED_VALUES 64
// toml++ 3.3 asserts that a key begins like one and then handles that it does not: the text "[\n"
// ended every build with assertions (found by fuzzing).
#define TOML_ASSERT(expr) static_assert(true)

#include <toml++/toml.h>
