#pragma once
// The log of a program: to stderr, one line per event, so that stdout stays for results. What it
// quotes is cleaned (printable.h).

#include <string>

#include "core/result.h"

namespace juggler {

// Sets up spdlog's default logger. `level`: trace, debug, info, warn, error or off.
//
// errors  another name
Result<void> check_log_level(const std::string& level);
Result<void> set_up_log(const std::string& program, const std::string& level);

}  // namespace juggler
