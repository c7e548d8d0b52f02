#pragma once
// A fleet's record as the broker keeps it, and as the keeper tells it to those who ask.

#include <string>

#include "core/fleet_record.h"
#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::wire {

// Durable; one message, the record.
inline constexpr const char* kFleetQueue = "juggler.fleet";

std::string record_json(const FleetRecord& record);

Envelope encode_record(const FleetRecord& record);
// errors  what cannot be read, or is not valid
Result<FleetRecord> decode_record(const Envelope& envelope);

}  // namespace juggler::wire
