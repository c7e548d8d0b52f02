#include "wire/version.h"

#include <fmt/format.h>

#include "wire/messages.h"

namespace juggler::wire {

namespace {

constexpr std::string_view kPrefix = "juggler.";

// Every message is asked for its type several times: nothing is formatted for that.
bool has_type(std::string_view type, std::string_view kind) {
  static const std::string kSuffix = fmt::format(".v{}", kMajor);
  return type.size() == kPrefix.size() + kind.size() + kSuffix.size() &&
         type.starts_with(kPrefix) && type.substr(kPrefix.size(), kind.size()) == kind &&
         type.ends_with(kSuffix);
}

}  // namespace

std::string type_of(std::string_view kind) { return fmt::format("juggler.{}.v{}", kind, kMajor); }

Result<void> check_type(const Envelope& envelope, std::string_view kind) {
  if (has_type(envelope.type, kind)) {
    return {};
  }
  return fail(ErrorCode::Unsupported,
              fmt::format("message type '{}' is not '{}': another kind or an unknown major version",
                          envelope.type.substr(0, 64), type_of(kind)));
}

}  // namespace juggler::wire
