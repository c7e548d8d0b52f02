#include "apps/up_checks.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "amqp/connection.h"
#include "amqp/fleet_login.h"
#include "apps/controller_flags.h"
#include "apps/pictures.h"
#include "apps/stop_signals.h"
#include "core/policies/policy.h"
#include "runtime/clock.h"

namespace juggler {
namespace {

constexpr Micros kBrokerMax = seconds(5);
constexpr int kAskAgainMs = 500;

// The policy of the controller's configuration.
Result<std::string> check_controller_config(const std::string& file) {
  const Result<ControllerFlags> flags = read_controller_config(file);
  if (!flags) {
    return fail(flags.error().code, "--controller-config: " + flags.error().message);
  }
  if (!flags->broker.broker.empty() || !flags->broker.broker_file.empty()) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("--controller-config: {} names a broker, and the controller would not "
                            "use that of `juggler up`: leave it out there, or name it by "
                            "`juggler up --broker`",
                            file));
  }
  return flags->policy;
}

// The folder for the controller's journal, made if it is not there.
Result<void> check_journal(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && access(folder.c_str(), W_OK | X_OK) != 0) {
    error.assign(errno, std::generic_category());
  }
  if (error) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("--journal: no journal can be written to {}: {}. Name another folder",
                            folder, error.message()));
  }
  return {};
}

}  // namespace

Result<std::string> check_flags(const UpOptions& options) {
  Result<std::string> policy = check_controller_config(options.controller_config);
  if (!policy) {
    return policy;
  }
  if (!options.policy.empty()) {
    if (const auto known = make_policy(options.policy); !known) {
      return known.error();
    }
    policy = options.policy;
  }
  if (!options.journal.empty()) {
    if (const Result<void> journal = check_journal(options.journal); !journal) {
      return journal.error();
    }
  }
  if (!options.demo.empty()) {
    if (const auto pictures = list_pictures({options.demo}); !pictures) {
      return fail(pictures.error().code, "--demo: " + pictures.error().message);
    }
  }
  return policy;
}

Result<void> check_broker(const std::string& address) {
  const Result<amqp::BrokerUrl> url = amqp::BrokerUrl::parse(address);
  if (!url) {
    return url.error();
  }
  SystemClock clock;
  const Time until = clock.now() + kBrokerMax;
  for (;;) {
    const auto connection = amqp::Connection::open(*url, "juggler up");
    if (connection) {
      Result<void> allowed = amqp::check_fleet_login(**connection);
      (*connection)->close(milliseconds(500));
      return allowed
                 ? allowed
                 : fail(ErrorCode::Unavailable, fmt::format("the broker at {}: {}", url->redacted(),
                                                            allowed.error().message));
    }
    if (clock.now() >= until || stop_signals() > 0) {
      return connection.error();
    }
    pollfd entry{stop_signals_fd(), POLLIN, 0};
    ::poll(&entry, 1, kAskAgainMs);
  }
}

}  // namespace juggler
