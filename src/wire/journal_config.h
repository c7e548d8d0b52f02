#pragma once
// A controller's configuration in a journal. Inside src/wire only.

#include "core/controller.h"
#include "wire/json.h"
#include "wire/json_writer.h"

namespace juggler::wire {

// Into an object that is begun.
void write_config(JsonWriter& writer, const ControllerConfig& config);
// What is absent keeps its default.
ControllerConfig read_config(ObjectReader& reader);

}  // namespace juggler::wire
