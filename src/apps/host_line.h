#pragma once
// What a device's machine looks like now, in one line.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace juggler {

// "CPU 12 %, GPU 31 %, 51.2 C, 5.12 W (measured, module rail), mode 15W, throttled; 0.3 s old" of
// the object `host` of a device in the answer to `devices`; empty where it says nothing.
std::string host_line(const nlohmann::json& host);

}  // namespace juggler
