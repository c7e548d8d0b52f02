#pragma once
// The JSON bodies of messages, field by field and without their envelopes: what the messages and
// the journal have in common. Inside src/wire only.

#include "core/controller_messages.h"
#include "wire/envelope.h"
#include "wire/json.h"
#include "wire/json_writer.h"

namespace juggler::wire {

// Into an object that is begun.
void write_fields(JsonWriter& writer, const DeviceFacts& facts);
void write_fields(JsonWriter& writer, const Heartbeat& heartbeat);
void write_fields(JsonWriter& writer, const AttemptResult& result);
// The object `host`: all of it but memory, load and temperature, which stand beside it.
void write_host(JsonWriter& writer, const HostSample& host);
void write_fields(JsonWriter& writer, const Outcome& outcome);

// What is wrong with a field is the reader's error; validate() is the caller's to ask.
DeviceFacts read_facts(ObjectReader& reader);
Heartbeat read_heartbeat(ObjectReader& reader);
void read_host(ObjectReader& heartbeat, HostSample& host);
AttemptResult read_result(ObjectReader& reader);
Outcome read_outcome(ObjectReader& reader);

// Of messages that carry a task's id and who submitted it.
inline constexpr std::size_t kSubmitterMax = 512;
inline constexpr std::size_t kInternalIdMax = kTaskIdMax + 32;  // that the controller made longer

// A device's message to the controller, its body still to come.
Envelope up(const std::string& kind, const std::string& device);
// Checks kind and version, and parses a body of at most so many bytes.
Result<void> parse_body(const Envelope& envelope, std::string_view kind, std::size_t bytes_max,
                        JsonDocument& document);

template <class Message>
Body body_of(const Message& message) {
  JsonWriter writer;
  writer.begin_object();
  write_fields(writer, message);
  writer.end_object();
  return make_body(writer.take());
}

}  // namespace juggler::wire
