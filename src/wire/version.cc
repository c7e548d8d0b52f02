#include "wire/version.h"

#include <fmt/format.h>

#include "wire/messages.h"

namespace juggler::wire {

namespace {

constexpr std::string_view kPrefix = "juggler.";

// Every message has a type and is asked for it several times: nothing is formatted for that.
const std::string& suffix() {
  static const std::string kSuffix = fmt::format(".v{}", kMajor);
  return kSuffix;
}

bool has_type(std::string_view type, std::string_view kind) {
  return type.size() == kPrefix.size() + kind.size() + suffix().size() &&
         type.starts_with(kPrefix) && type.substr(kPrefix.size(), kind.size()) == kind &&
         type.ends_with(suffix());
}

}  // namespace

std::string type_of(std::string_view kind) {
  std::string type;
  type.reserve(kPrefix.size() + kind.size() + suffix().size());
  return type.append(kPrefix).append(kind).append(suffix());
}

Result<void> check_type(const Envelope& envelope, std::string_view kind) {
  if (has_type(envelope.type, kind)) {
    return {};
  }
  return fail(ErrorCode::Unsupported,
              fmt::format("message type '{}' is not '{}': another kind or an unknown major version",
                          envelope.type.substr(0, 64), type_of(kind)));
}

}  // namespace juggler::wire
