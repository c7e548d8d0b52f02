#include "apps/up_checks.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "amqp/connection.h"
#include "apps/pictures.h"
#include "apps/stop_signals.h"
#include "core/policies/policy.h"
#include "runtime/clock.h"

namespace juggler {
namespace {

constexpr Micros kBrokerMax = seconds(5);
constexpr int kAskAgainMs = 500;

}  // namespace

Result<void> check_flags(const UpOptions& options) {
  if (const auto policy = make_policy(options.policy); !policy) {
    return policy.error();
  }
  std::error_code failed;
  if (!options.controller_config.empty() &&
      !std::filesystem::is_regular_file(options.controller_config, failed)) {
    return fail(ErrorCode::NotFound,
                "--controller-config: there is no file " + options.controller_config);
  }
  if (!options.demo.empty()) {
    if (const auto pictures = list_pictures({options.demo}); !pictures) {
      return fail(pictures.error().code, "--demo: " + pictures.error().message);
    }
  }
  return {};
}

Result<void> check_variants(const UpOptions& options, const Catalogue& catalogue) {
  const std::vector<CatalogueVariant>& known = catalogue.variants();
  for (const std::string& wanted : options.variants) {
    const bool there = std::any_of(known.begin(), known.end(), [&](const CatalogueVariant& entry) {
      return answers(entry.variant, wanted);
    });
    if (!there) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("--variants: the catalogue has no model, network or variant '{}' "
                              "(see `juggler models`)",
                              wanted));
    }
  }
  return {};
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
      (*connection)->close(milliseconds(500));
      return {};
    }
    if (clock.now() >= until || stop_signals() > 0) {
      return connection.error();
    }
    pollfd entry{stop_signals_fd(), POLLIN, 0};
    ::poll(&entry, 1, kAskAgainMs);
  }
}

}  // namespace juggler
