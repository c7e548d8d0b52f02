// Fuzzes what devices and the keeper say to each other about models, and the fleet's record. What
// is taken is written as the same again.

#include "core/check.h"
#include "fuzz/envelope_text.h"
#include "wire/fleet_record.h"
#include "wire/models.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace wire = juggler::wire;
  const wire::Envelope envelope = juggler::fuzz::read_envelope(data, size);
  if (const auto asked = wire::decode_models_asked(envelope)) {
    JUGGLER_CHECK(asked->problems.size() <= wire::kFetchProblemsMax, "more problems than allowed");
    const auto again = wire::decode_models_asked(wire::encode_models_asked(*asked, "pi-1"));
    JUGGLER_CHECK(again.has_value() && again->device == asked->device && again->held == asked->held,
                  "encoded something else");
  }
  if (const auto asked = wire::decode_chunk_asked(envelope)) {
    const auto again = wire::decode_chunk_asked(wire::encode_chunk_asked(*asked, "pi-1"));
    JUGGLER_CHECK(again.has_value() && *again == *asked, "encoded something else");
  }
  if (const auto wanted = wire::decode_models_wanted(envelope)) {
    const auto again = wire::decode_models_wanted(wire::encode_models_wanted(*wanted, "replies"));
    JUGGLER_CHECK(again.has_value() && *again == *wanted, "encoded something else");
  }
  if (const auto chunk = wire::decode_chunk(envelope)) {
    JUGGLER_CHECK(chunk->chunk.bytes->size() <= wire::kChunkBytesMax, "a chunk without bounds");
    JUGGLER_CHECK(chunk->chunk.offset.count >= 0, "a place before the file");
  }
  if (const auto record = wire::decode_record(envelope)) {
    JUGGLER_CHECK(juggler::validate(*record).has_value(), "a record that is not valid");
    const auto again = wire::decode_record(wire::encode_record(*record));
    JUGGLER_CHECK(again.has_value() && *again == *record, "encoded something else");
  }
  return 0;
}
