#pragma once
// Which request asks for what. All paths of the interface are here; docs/http.md lists them.

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "core/task.h"
#include "http/message.h"

namespace juggler::http {

enum class Asks {
  Overview,    // GET /
  Live,        // GET /v2/health/live
  Ready,       // GET /v2/health/ready
  Server,      // GET /v2
  Model,       // GET /v2/models/NAME
  ModelReady,  // GET /v2/models/NAME/ready
  Infer,       // POST /v2/models/NAME/infer
  Classify,    // POST /v1/classify
  Submit,      // POST /v1/tasks
  TaskState,   // GET /v1/tasks/ID
  Status,      // GET /v1/status
  Devices,     // GET /v1/devices
  Models,      // GET /v1/models
  Metrics,     // GET /metrics
};

struct Route {
  Asks asks = Asks::Overview;
  std::string name = {};  // of the model, or the task's id
  std::size_t body_max = 0;
  bool open = false;  // needs no token: whether it lives and serves, and no more
};

// A picture as it is, and one in the text of a JSON document with what stands around it.
inline constexpr std::size_t kPictureBodyMax = static_cast<std::size_t>(kPayloadMax.count);
inline constexpr std::size_t kInferBodyMax = (kPictureBodyMax + 2) / 3 * 4 + 65'536;
inline constexpr std::size_t kPathMax = 512;

// `path` is decoded. What is not to be had is a reply: 404, 405.
std::variant<Route, Reply> find_route(std::string_view method, std::string_view path);

}  // namespace juggler::http
