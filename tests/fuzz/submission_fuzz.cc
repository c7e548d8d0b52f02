// Fuzzes the decoder of submissions: what decodes must encode to the same again, what does not has
// a reason.

#include "core/check.h"
#include "fuzz/envelope_text.h"
#include "wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const juggler::wire::Envelope envelope = juggler::fuzz::read_envelope(data, size);
  for (const bool redelivered : {false, true}) {
    const auto decoded = juggler::wire::decode_submission(envelope, redelivered);
    const juggler::Submission& task = decoded.submission;
    JUGGLER_CHECK(task.key.id.size() <= juggler::kTaskIdMax, "an id that is too long");
    JUGGLER_CHECK(!task.key.id.empty() && !task.key.submitter.empty(), "a task without a name");
    JUGGLER_CHECK(juggler::wire::allowed_reply_to(task.reply_to), "a forbidden reply queue");
    if (!decoded.refusal.empty()) {
      continue;
    }
    juggler::wire::Envelope encoded = juggler::wire::encode_submission(task, envelope.body);
    encoded.user_id = envelope.user_id;
    const auto again = juggler::wire::decode_submission(encoded, redelivered);
    JUGGLER_CHECK(again.refusal.empty(), "encoded what is refused");
    JUGGLER_CHECK(again.submission == task, "encoded something else");
  }
  return 0;
}
