// How a message says its minor version. In a file of its own: tests put another in its place, and
// have programs of the next version (tests/support/minor_next.cc).
#include <cstdint>

#include "fmt/format.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {

void write_minor(JsonWriter& writer) { writer.integer("minor", kMinor); }

void write_minor(Envelope& dispatch) { dispatch.headers["x-juggler-minor"] = std::int64_t{kMinor}; }

void write_version(JsonWriter& writer) {
  static const std::string kVersion = fmt::format("{}.{}", kMajor, kMinor);
  writer.text("version", kVersion);
}

}  // namespace juggler::wire
