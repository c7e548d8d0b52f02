#pragma once
// The fleet in the text format of Prometheus (version 0.0.4), made from the controller's answers to
// `status` and `devices`. Pure. docs/http.md#metrics lists the names.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace juggler::http {

// Of the front itself, since it started.
struct FrontCounts {
  std::map<int, std::uint64_t> replies;  // by status
  std::uint64_t wrong_tokens = 0;
  std::uint64_t tasks_open = 0;  // without an outcome yet
};

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string metrics_text(const nlohmann::json& status, const nlohmann::json& devices,
                         const FrontCounts& front);

}  // namespace juggler::http
