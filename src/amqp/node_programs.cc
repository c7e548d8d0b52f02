#include "amqp/node_programs.h"

#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "fmt/format.h"

namespace juggler::amqp {
namespace {

bool in_path(const std::string& path, const std::string& program) {
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::string> broker_installed() { return broker_installed(kNodePath); }

Result<std::string> broker_installed(const std::string& path) {
  if (access(kServer, X_OK) != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("RabbitMQ is not installed ('{}' is missing): install the package "
                            "rabbitmq-server, or name a broker that runs elsewhere (--broker URL)",
                            kServer));
  }
  if (!in_path(path, "erl")) {
    return fail(ErrorCode::Unavailable,
                fmt::format("RabbitMQ is installed, but not Erlang, which it runs on ('erl' is in "
                            "none of {}): install the package erlang-base, or name a broker that "
                            "runs elsewhere (--broker URL)",
                            path));
  }
  std::string version = "unknown version";
  constexpr std::string_view kFolder = "rabbitmq_server-";
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/rabbitmq/lib", failed)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(kFolder, 0) == 0) {
      version = name.substr(kFolder.size());
    }
  }
  return fmt::format("{}, {}", version, kServer);
}

}  // namespace juggler::amqp
