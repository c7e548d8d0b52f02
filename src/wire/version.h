#pragma once
// The version that a message carries: its major in the `type` property ("juggler.result.v1"), its
// minor in the body or a header, where it only informs. Inside src/wire only, but for what tests
// put in the place of minor.cc.

#include <string>
#include <string_view>

#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::wire {

class JsonWriter;

// "juggler.<kind>.v1"
std::string type_of(std::string_view kind);
// Writes the minor version: into a body, the headers of a dispatch, an outcome (with the major).
void write_minor(JsonWriter& writer);
void write_minor(Envelope& dispatch);
void write_version(JsonWriter& writer);
// Refuses another kind or another major version.
Result<void> check_type(const Envelope& envelope, std::string_view kind);

}  // namespace juggler::wire
