// What is encoded decodes to the same, for generated messages of every kind.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include "support/generators.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using test::any_dispatch;
using test::any_facts;
using test::any_heartbeat;
using test::any_outcome;
using test::any_result;
using test::any_submission;

wire::Body body_of_size(Bytes size) {
  return wire::make_body(std::string(static_cast<std::size_t>(size.count), 'x'));
}

RC_GTEST_PROP(RoundTrip, Submission, ()) {
  Submission task = *any_submission();
  RC_PRE(task.payload.kind != PayloadKind::FloatTensor || task.requirements.model != "auto");
  const wire::DecodedSubmission decoded = wire::decode_submission(
      wire::encode_submission(task, body_of_size(task.payload.size)), task.redelivered);
  RC_ASSERT(decoded.refusal == "");
  RC_ASSERT(decoded.id_given);
  RC_ASSERT(decoded.submission == task);
}

RC_GTEST_PROP(RoundTrip, Dispatch, ()) {
  const Dispatch dispatch = *any_dispatch();
  const Result<Dispatch> decoded =
      wire::decode_dispatch(wire::encode_dispatch(dispatch, body_of_size(dispatch.payload.size)));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == dispatch);
}

RC_GTEST_PROP(RoundTrip, Result, ()) {
  const AttemptResult result = *any_result();
  const auto decoded = wire::decode_result(wire::encode_result(result));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == result);
}

RC_GTEST_PROP(RoundTrip, Heartbeat, ()) {
  const Heartbeat beat = *any_heartbeat();
  const auto decoded = wire::decode_heartbeat(wire::encode_heartbeat(beat));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == beat);
}

RC_GTEST_PROP(RoundTrip, Hello, ()) {
  const DeviceFacts facts = *any_facts();
  RC_ASSERT(validate(facts).has_value());
  const auto decoded = wire::decode_hello(wire::encode_hello(facts));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == facts);
}

RC_GTEST_PROP(RoundTrip, Outcome, ()) {
  const Outcome outcome = *any_outcome();
  const auto decoded = wire::decode_outcome(wire::encode_outcome(outcome, "replies", "c"));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == outcome);
}

RC_GTEST_PROP(RoundTrip, Decided, ()) {
  const Outcome outcome = *any_outcome();
  const wire::Envelope envelope = wire::encode_decided(outcome);
  RC_ASSERT(envelope.routing_key == wire::kDecidedQueue);
  const auto decoded = wire::decode_outcome(envelope);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == outcome);
}

TEST(RoundTrip, Control_EveryKind) {
  for (const wire::Control& control :
       {wire::Control{.kind = wire::ControlKind::Hello},
        {.kind = wire::ControlKind::Drain},
        {.kind = wire::ControlKind::Heartbeat, .every = milliseconds(400)}}) {
    const auto decoded = wire::decode_control(wire::encode_control("pi-1", control));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, control);
  }
}

}  // namespace
}  // namespace juggler
