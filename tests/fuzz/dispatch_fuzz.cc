// Fuzzes the decoder of dispatches: what decodes must encode to the same again, what does not has a
// reason.

#include "core/check.h"
#include "fuzz/envelope_text.h"
#include "wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const juggler::wire::Envelope envelope = juggler::fuzz::read_envelope(data, size);
  const auto decoded = juggler::wire::decode_dispatch(envelope);
  if (!decoded) {
    JUGGLER_CHECK(!decoded.error().message.empty(), "an error without a message");
    return 0;
  }
  const auto again =
      juggler::wire::decode_dispatch(juggler::wire::encode_dispatch(*decoded, envelope.body));
  JUGGLER_CHECK(again.has_value(), "encoded what does not decode");
  JUGGLER_CHECK(*again == *decoded, "encoded something else");
  return 0;
}
