// Submissions as strangers send them: what is read, and what each refusal says.

#include <gtest/gtest.h>

#include <limits>

#include "wire/messages.h"

namespace juggler {
namespace {

using wire::DecodedSubmission;
using wire::Envelope;

// The least that is a task.
Envelope picture() {
  Envelope envelope;
  envelope.exchange = wire::kSubmitExchange;
  envelope.routing_key = wire::kTasksQueue;
  envelope.content_type = "image/jpeg";
  envelope.message_id = "t1";
  envelope.reply_to = "my-replies";
  envelope.body = wire::make_body("bytes");
  return envelope;
}

DecodedSubmission decode(const Envelope& envelope) {
  return wire::decode_submission(envelope, false);
}

void expect_refusal(const Envelope& envelope, const std::string& part) {
  const DecodedSubmission decoded = decode(envelope);
  EXPECT_NE(decoded.refusal.find(part), std::string::npos) << "refusal: " << decoded.refusal;
}

TEST(WireSubmission, BarePicture_IsATaskWithDefaults) {
  const DecodedSubmission decoded = decode(picture());
  EXPECT_EQ(decoded.refusal, "");
  EXPECT_TRUE(decoded.id_given);
  EXPECT_EQ(decoded.submission.key, (TaskKey{"reply_to:my-replies", "t1"}));
  EXPECT_EQ(decoded.submission.reply_to, "my-replies");
  EXPECT_EQ(decoded.submission.payload.kind, PayloadKind::Jpeg);
  EXPECT_EQ(decoded.submission.payload.size, Bytes{5});
  EXPECT_EQ(decoded.submission.requirements, Requirements{});
}

TEST(WireSubmission, UserId_ScopesTheTask) {
  Envelope envelope = picture();
  envelope.user_id = "alice";
  EXPECT_EQ(decode(envelope).submission.key.submitter, "user:alice");
}

TEST(WireSubmission, Redelivered_IsPassedOn) {
  EXPECT_TRUE(wire::decode_submission(picture(), true).submission.redelivered);
  EXPECT_FALSE(wire::decode_submission(picture(), false).submission.redelivered);
}

TEST(WireSubmission, Requirements_AreReadInTheirUnits) {
  Envelope envelope = picture();
  envelope.priority = 7;
  envelope.headers["model"] = std::string("resnet50");
  envelope.headers["min_accuracy"] = 75.5;
  envelope.headers["device"] = std::string("pi-1");
  envelope.headers["deadline_ms"] = std::int64_t{200};
  envelope.headers["max_energy_mj"] = 12.5;
  envelope.headers["top_k"] = std::int64_t{3};
  envelope.headers["allow_synthetic"] = true;
  const Requirements wanted = decode(envelope).submission.requirements;
  EXPECT_EQ(wanted.model, "resnet50");
  EXPECT_EQ(wanted.min_accuracy, MilliPercent{75'500});
  EXPECT_EQ(wanted.device, "pi-1");
  EXPECT_EQ(wanted.deadline, milliseconds(200));
  EXPECT_EQ(wanted.max_energy, Microjoules{12'500});
  EXPECT_EQ(wanted.top_k, 3);
  EXPECT_EQ(wanted.priority, 7);
  EXPECT_TRUE(wanted.allow_synthetic);
}

TEST(WireSubmission, NoId_GetsOneFromItsContent) {
  Envelope envelope = picture();
  envelope.message_id.clear();
  const DecodedSubmission first = decode(envelope);
  EXPECT_FALSE(first.id_given);
  EXPECT_EQ(first.submission.key.id.rfind("anonymous-", 0), 0U);
  EXPECT_EQ(decode(envelope).submission.key.id, first.submission.key.id);
  envelope.body = wire::make_body("other bytes");
  EXPECT_NE(decode(envelope).submission.key.id, first.submission.key.id);
}

TEST(WireSubmission, NoId_OtherRequirementsGiveAnotherId) {
  Envelope envelope = picture();
  envelope.message_id.clear();
  const std::string plain = decode(envelope).submission.key.id;
  envelope.headers["min_accuracy"] = 75.0;
  const std::string accurate = decode(envelope).submission.key.id;
  EXPECT_NE(accurate, plain);
  envelope.headers["min_accuracy"] = std::int64_t{76};
  EXPECT_NE(decode(envelope).submission.key.id, accurate);
  envelope.headers.clear();
  envelope.priority = 9;
  EXPECT_NE(decode(envelope).submission.key.id, plain);
  envelope.priority.reset();
  envelope.content_type = "image/png";
  EXPECT_NE(decode(envelope).submission.key.id, plain);
}

TEST(WireSubmission, NumbersOutOfRange_AreRefusedByName) {
  const std::vector<std::pair<std::string, std::vector<double>>> cases{
      {"min_accuracy", {-0.001, 100.001}},
      {"deadline_ms", {0.0, -5.0, 86'400'001.0}},
      {"max_energy_mj", {-1.0, 1e10}},
      {"top_k", {0.0, 1001.0, -3.0, 2.9}}};
  for (const auto& [header, values] : cases) {
    std::vector<double> all = values;
    all.push_back(std::numeric_limits<double>::quiet_NaN());
    all.push_back(std::numeric_limits<double>::infinity());
    all.push_back(-std::numeric_limits<double>::infinity());
    for (const double value : all) {
      Envelope envelope = picture();
      envelope.headers[header] = value;
      expect_refusal(envelope, "header '" + header + "'");
    }
    Envelope envelope = picture();
    envelope.headers[header] = std::numeric_limits<std::int64_t>::min();
    expect_refusal(envelope, "header '" + header + "'");
  }
}

TEST(WireSubmission, HeadersOfTheWrongType_AreRefusedByName) {
  for (const char* header : {"min_accuracy", "deadline_ms", "max_energy_mj", "top_k"}) {
    for (const wire::HeaderValue& value :
         {wire::HeaderValue(std::string("12 ms")), wire::HeaderValue(true), wire::HeaderValue()}) {
      Envelope envelope = picture();
      envelope.headers[header] = value;
      expect_refusal(envelope, std::string("header '") + header + "'");
    }
  }
  Envelope envelope = picture();
  envelope.headers["model"] = std::int64_t{5};
  expect_refusal(envelope, "header 'model'");
  envelope = picture();
  envelope.headers["allow_synthetic"] = std::int64_t{1};
  expect_refusal(envelope, "header 'allow_synthetic'");
}

TEST(WireSubmission, ModelEmptyOrTooLong_IsRefused) {
  Envelope envelope = picture();
  envelope.headers["model"] = std::string();
  expect_refusal(envelope, "header 'model'");
  envelope.headers["model"] = std::string(kModelNameMax + 1, 'm');
  expect_refusal(envelope, "header 'model'");
}

TEST(WireSubmission, PriorityOutOfRange_IsRefused) {
  for (const int priority : {-1, 10, 255}) {
    Envelope envelope = picture();
    envelope.priority = priority;
    expect_refusal(envelope, "priority is");
  }
}

TEST(WireSubmission, EmptyPayload_IsRefused) {
  Envelope envelope = picture();
  envelope.body = wire::make_body("");
  expect_refusal(envelope, "payload is empty");
  envelope.body = nullptr;
  expect_refusal(envelope, "payload is empty");
}

TEST(WireSubmission, UnknownContentType_IsRefused) {
  for (const char* type : {"", "image/gif", "text/plain", "IMAGE/JPEG"}) {
    Envelope envelope = picture();
    envelope.content_type = type;
    expect_refusal(envelope, "content_type");
  }
}

TEST(WireSubmission, IdTooLong_IsRefusedAndCut) {
  Envelope envelope = picture();
  envelope.message_id = std::string(kTaskIdMax, 'i');
  EXPECT_EQ(decode(envelope).refusal, "");
  envelope.message_id += "i";
  expect_refusal(envelope, "message_id");
  EXPECT_EQ(decode(envelope).submission.key.id.size(), kTaskIdMax);
}

TEST(WireSubmission, IdThatIsNotUtf8_IsRefused) {
  // It would come back from a device's JSON as another id, and its result would be nobody's.
  Envelope envelope = picture();
  envelope.message_id = "bad\xff";
  expect_refusal(envelope, "message_id");
  EXPECT_EQ(decode(envelope).submission.reply_to, "my-replies");
}

TEST(WireSubmission, ReplyQueueThatIsNotUtf8_IsRefused) {
  Envelope envelope = picture();
  envelope.reply_to = "q\xc3\x28";
  expect_refusal(envelope, "reply_to");
  EXPECT_EQ(decode(envelope).submission.reply_to, "");
}

TEST(WireSubmission, ReplyQueueOfTheSystem_IsRefusedAndNobodyIsTold) {
  for (const char* queue : {"juggler.tasks", "juggler.results", "juggler.device.pi-1", "juggler.",
                            "amq.direct", "amq.rabbitmq.trace", "amq.rabbitmq.reply-to",
                            "amq.rabbitmq.reply-to.g1.x", "juggler.replies"}) {
    Envelope envelope = picture();
    envelope.reply_to = queue;
    expect_refusal(envelope, "reply_to");
    EXPECT_EQ(decode(envelope).submission.reply_to, "") << queue;
  }
}

TEST(WireSubmission, ReplyQueueOfAClient_IsTaken) {
  for (const char* queue : {"", "replies", "amq.gen-Xa2f", "juggler.replies.Xa2f", "jugglers"}) {
    Envelope envelope = picture();
    envelope.reply_to = queue;
    EXPECT_EQ(decode(envelope).refusal, "") << queue;
    EXPECT_EQ(decode(envelope).submission.reply_to, queue);
  }
}

TEST(WireSubmission, Type_MayBeLeftOutOrRightButNotAnother) {
  Envelope envelope = picture();
  envelope.type = "juggler.submit.v1";
  EXPECT_EQ(decode(envelope).refusal, "");
  for (const char* type : {"juggler.submit.v2", "juggler.result.v1", "submit"}) {
    envelope.type = type;
    expect_refusal(envelope, "message type");
  }
}

TEST(WireSubmission, RawTensor_NeedsItsSizeToMatch) {
  Envelope envelope = picture();
  envelope.content_type = "application/octet-stream";
  envelope.headers["tensor"] = std::string("uint8-hwc");
  envelope.headers["width"] = std::int64_t{4};
  envelope.headers["height"] = std::int64_t{2};
  envelope.body = wire::make_body(std::string(24, 'x'));
  EXPECT_EQ(decode(envelope).refusal, "");
  EXPECT_EQ(decode(envelope).submission.payload.kind, PayloadKind::RawRgb);
  EXPECT_EQ(decode(envelope).submission.payload.width, 4);
  envelope.headers["height"] = std::int64_t{3};
  expect_refusal(envelope, "36");
  envelope.headers.erase("height");
  expect_refusal(envelope, "uint8-hwc");
  envelope.headers["height"] = std::int64_t{16385};
  expect_refusal(envelope, "header 'height'");
}

TEST(WireSubmission, PreprocessedTensor_NamesItsVariant) {
  Envelope envelope = picture();
  envelope.content_type = "application/octet-stream";
  envelope.headers["tensor"] = std::string("float32-nchw");
  expect_refusal(envelope, "must name its variant");
  envelope.headers["model"] = std::string("resnet50-fp32");
  EXPECT_EQ(decode(envelope).refusal, "");
  envelope.headers["tensor"] = std::string("bfloat16");
  expect_refusal(envelope, "header 'tensor'");
}

TEST(WireSubmission, UnknownHeaders_AreIgnored) {
  Envelope envelope = picture();
  envelope.headers["x-trace-id"] = std::string("abc");
  envelope.headers["x-odd"] = wire::HeaderValue();
  EXPECT_EQ(decode(envelope).refusal, "");
}

TEST(WireSubmission, SeveralMistakes_TheFirstIsNamed) {
  Envelope envelope = picture();
  envelope.priority = 77;
  envelope.body = wire::make_body("");
  expect_refusal(envelope, "priority");
}

TEST(WireSubmission, Encoded_ReachesTheTasksQueueSafely) {
  Submission task;
  task.key = {"user:a", "t"};
  task.payload.kind = PayloadKind::Png;
  const Envelope envelope = wire::encode_submission(task, wire::make_body("x"));
  EXPECT_EQ(envelope.exchange, "juggler.submit");
  EXPECT_EQ(envelope.routing_key, "juggler.tasks");
  EXPECT_TRUE(envelope.persistent);
  EXPECT_TRUE(envelope.mandatory);
  EXPECT_FALSE(envelope.expiration_ms.has_value());  // the broker would drop it with no outcome
}

}  // namespace
}  // namespace juggler
