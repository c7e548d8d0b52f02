#include "http/routes.h"

#include <array>

namespace juggler::http {
namespace {

constexpr std::string_view kModels = "/v2/models/";

struct Entry {
  std::string_view method;
  std::string_view before;  // of a name, where there is one
  std::string_view after;
  bool named;
  Asks asks;
  std::size_t body_max;
  bool open;
};

constexpr std::array<Entry, 14> kEntries{{
    {"GET", "/", "", false, Asks::Overview, 0, false},
    {"GET", "/v2/health/live", "", false, Asks::Live, 0, true},
    {"GET", "/v2/health/ready", "", false, Asks::Ready, 0, true},
    {"GET", "/v2", "", false, Asks::Server, 0, false},
    {"POST", kModels, "/infer", true, Asks::Infer, kInferBodyMax, false},
    {"GET", kModels, "/ready", true, Asks::ModelReady, 0, false},
    {"GET", kModels, "", true, Asks::Model, 0, false},
    {"POST", "/v1/classify", "", false, Asks::Classify, kPictureBodyMax, false},
    {"POST", "/v1/tasks", "", false, Asks::Submit, kPictureBodyMax, false},
    {"GET", "/v1/tasks/", "", true, Asks::TaskState, 0, false},
    {"GET", "/v1/status", "", false, Asks::Status, 0, false},
    {"GET", "/v1/devices", "", false, Asks::Devices, 0, false},
    {"GET", "/v1/models", "", false, Asks::Models, 0, false},
    {"GET", "/metrics", "", false, Asks::Metrics, 0, false},
}};

// The name between; nothing where the path is another.
bool matches(const Entry& entry, std::string_view path, std::string_view& name) {
  if (!entry.named) {
    return path == entry.before;
  }
  const std::size_t fixed = entry.before.size() + entry.after.size();
  if (path.size() <= fixed || path.substr(0, entry.before.size()) != entry.before ||
      path.substr(path.size() - entry.after.size()) != entry.after) {
    return false;
  }
  name = path.substr(entry.before.size(), path.size() - fixed);
  return name.find('/') == std::string_view::npos;
}

// Every model has one version: a path that names it is the one without.
std::string without_version(std::string_view path) {
  constexpr std::string_view kVersion = "/versions/1";
  std::string plain(path);
  const std::size_t at = plain.find(kVersion);
  const std::size_t after = at + kVersion.size();
  if (at != std::string::npos && path.substr(0, kModels.size()) == kModels &&
      (after == path.size() || path[after] == '/')) {
    plain.erase(at, kVersion.size());
  }
  return plain;
}

}  // namespace

std::variant<Route, Reply> find_route(std::string_view method, std::string_view asked) {
  const std::string path = without_version(asked.substr(0, kPathMax + 1));
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  std::string_view allowed;
  if (asked.size() <= kPathMax) {
    for (const Entry& entry : kEntries) {
      std::string_view name;
      if (!matches(entry, path, name)) {
        continue;
      }
      if (entry.method == wanted) {
        return Route{entry.asks, std::string(name), entry.body_max, entry.open};
      }
      allowed = entry.method;
    }
  }
  if (!allowed.empty()) {
    Reply reply = refuse({.status = 405,
                          .error = "this path takes " + std::string(allowed) + " alone",
                          .why = "it came with another method",
                          .next = "docs/http.md lists the paths"});
    reply.headers.emplace_back("Allow", std::string(allowed));
    return reply;
  }
  return refuse({.status = 404,
                 .error = "there is no such path",
                 .why = "it is none of this interface",
                 .next = "GET / lists the paths; pictures go to POST /v1/classify"});
}

}  // namespace juggler::http
