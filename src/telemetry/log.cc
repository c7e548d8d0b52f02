#include "telemetry/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

namespace juggler {

Result<void> set_up_log(const std::string& program, const std::string& level) {
  constexpr std::array<const char*, 6> kLevels{"trace", "debug", "info", "warn", "error", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end()) {
    return fail(ErrorCode::InvalidArgument,
                "log level '" + level + "' is not trace, debug, info, warn, error or off");
  }
  auto logger = spdlog::stderr_color_mt(program);
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %^%l%$ %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace juggler
