// In the place of src/wire/minor.cc: programs of the next minor version, with fields in every
// message that today's do not know.
#include <cstdint>

#include "fmt/format.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr int kNext = kMinor + 1;

void write_news(JsonWriter& writer) {
  writer.begin_array("minor_news");
  writer.begin_object();
  writer.text("what", "a field of the next version");
  writer.integer("since", kNext);
  writer.end_object();
  writer.end_array();
}

}  // namespace

void write_minor(JsonWriter& writer) {
  writer.integer("minor", kNext);
  write_news(writer);
}

void write_minor(Envelope& dispatch) {
  dispatch.headers["x-juggler-minor"] = std::int64_t{kNext};
  dispatch.headers["x-juggler-news"] = std::string("a header of the next version");
}

void write_version(JsonWriter& writer) {
  writer.text("version", fmt::format("{}.{}", kMajor, kNext));
  write_news(writer);
}

}  // namespace juggler::wire
