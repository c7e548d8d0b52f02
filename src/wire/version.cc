#include "wire/version.h"

#include <fmt/format.h>

#include "wire/messages.h"

namespace juggler::wire {

std::string type_of(std::string_view kind) { return fmt::format("juggler.{}.v{}", kind, kMajor); }

Result<void> check_type(const Envelope& envelope, std::string_view kind) {
  if (envelope.type == type_of(kind)) {
    return {};
  }
  return fail(ErrorCode::Unsupported,
              fmt::format("message type '{}' is not '{}': another kind or an unknown major version",
                          envelope.type.substr(0, 64), type_of(kind)));
}

}  // namespace juggler::wire
