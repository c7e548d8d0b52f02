// Fuzzes files of flags: that of `juggler controller`, with flags of every kind. What is refused
// has file and reason; what is accepted is within the flags' bounds.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/controller_flags.h"
#include "core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  CLI::App app;
  juggler::ControllerFlags flags;
  juggler::declare_controller_flags(app, flags);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const juggler::Result<void> applied = juggler::apply_config_text(app, text, "controller.toml");
  if (!applied) {
    JUGGLER_CHECK(applied.error().message.find("controller.toml") != std::string::npos,
                  "a refusal that does not say of what");
    return 0;
  }
  JUGGLER_CHECK(!juggler::amqp::holds_password(flags.broker.broker), "a password in a file");
  JUGGLER_CHECK(!flags.power_max.has_value() || *flags.power_max >= juggler::Milliwatts{0},
                "negative power");
  return 0;
}
