// Outcomes: where they go, and that a strange one is refused by the name of its field.

#include <gtest/gtest.h>

#include <limits>

#include "support/builders.h"
#include "support/json_edit.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;
using test::with;
using test::without;
using wire::Envelope;

Outcome completed() {
  Outcome outcome = test::outcome_of("t", OutcomeKind::Completed);
  outcome.labels = {{281, "tabby", 0.75}};
  outcome.device = "pi-1";
  outcome.processor = "cpu0";
  outcome.variant = "n-fp32";
  outcome.accuracy = {75'100};
  outcome.total = milliseconds(90);
  outcome.attempts = {{"pi-1", "cpu0", "n-fp32", "ok"}};
  outcome.energy = test::energy_mj(5, 0.1);
  return outcome;
}
Envelope message() { return wire::encode_outcome(completed(), "replies", "c1"); }

void expect_names(const Envelope& envelope, const std::string& field) {
  const Result<Outcome> decoded = wire::decode_outcome(envelope);
  ASSERT_FALSE(decoded.has_value()) << "accepted a wrong " << field;
  EXPECT_NE(decoded.error().message.find(field), std::string::npos) << decoded.error().message;
}

TEST(WireOutcome, GoesToItsReplyQueueByTheDefaultExchange) {
  const Envelope envelope = message();
  EXPECT_EQ(envelope.exchange, "");
  EXPECT_EQ(envelope.routing_key, "replies");
  EXPECT_EQ(envelope.correlation_id, "c1");
  EXPECT_EQ(envelope.message_id, "t.outcome");
  EXPECT_TRUE(envelope.mandatory);
  EXPECT_TRUE(envelope.persistent);
}

TEST(WireOutcome, WithoutACorrelation_TakesTheTasksId) {
  EXPECT_EQ(wire::encode_outcome(completed(), "replies", "").correlation_id, "t");
}

TEST(WireOutcome, DirectReplyTo_IsNotMandatory) {}

TEST(WireOutcome, NobodyWaits_GoesToUnrouted) {
  const Envelope envelope = wire::encode_outcome(completed(), "", "");
  EXPECT_EQ(envelope.exchange, "juggler.unrouted");
  EXPECT_EQ(envelope.routing_key, "");
}

TEST(WireOutcome, Dead_CarriesThePayloadAndTheOutcome) {
  const Submission task = test::submission("t").min_accuracy(75).reply_to("mine");
  const Envelope envelope = wire::encode_dead(test::outcome_of("t", OutcomeKind::Failed, "3 tries"),
                                              task, wire::make_body("payload"));
  EXPECT_EQ(envelope.exchange, "") << "where submitters and devices may not write";
  EXPECT_EQ(envelope.routing_key, "juggler.failed");
  EXPECT_EQ(envelope.reply_to, "") << "nobody is to answer here";
  EXPECT_EQ(*envelope.body, "payload");
  const json kept = json::parse(std::get<std::string>(envelope.headers.at("x-juggler-outcome")));
  EXPECT_EQ(kept["reason"], "3 tries");
}

TEST(WireOutcome, DeadSubmittedAgain_IsTheSameTaskUnderAnotherId) {
  const Submission task = test::submission("t").min_accuracy(75).priority(3).reply_to("mine");
  const auto again =
      wire::submit_again(wire::encode_dead(test::outcome_of("t", OutcomeKind::Failed, "3 tries"),
                                           task, wire::make_body("payload")),
                         "t-again");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->exchange, "juggler.submit");
  EXPECT_EQ(again->routing_key, "juggler.tasks");
  const auto decoded = wire::decode_submission(*again, false);
  EXPECT_TRUE(decoded.refusal.empty()) << decoded.refusal;
  EXPECT_EQ(decoded.submission.key.id, "t-again");
  EXPECT_EQ(decoded.submission.reply_to, "mine");
  EXPECT_EQ(decoded.submission.correlation_id, "t") << "by which its client knows it";
  EXPECT_EQ(decoded.submission.requirements, task.requirements);
  EXPECT_FALSE(wire::submit_again(wire::encode_decided(completed()), "x").has_value());
}

TEST(WireOutcome, DeadWithEndlessReasons_FitsAFrameAndKeepsTheNewestAttempts) {
  Outcome outcome = test::outcome_of("t", OutcomeKind::Failed, std::string(40'000, 'r'));
  for (int attempt = 0; attempt < 24; ++attempt) {
    outcome.attempts.push_back({"device", "processor", "variant", std::string(16U << 10U, '\x01')});
  }
  outcome.attempts.back().end = std::string(298, 'x') + "\xc3\xa9 and more";
  const auto header = [](const Envelope& envelope) {
    return std::get<std::string>(envelope.headers.at("x-juggler-outcome"));
  };
  const auto dead = [&] {
    return wire::encode_dead(outcome, test::submission("t"), wire::make_body("payload"));
  };
  EXPECT_LE(header(dead()).size(), 64U << 10U);
  json kept = json::parse(header(dead()));
  ASSERT_EQ(kept["attempts"].size(), 24U);
  EXPECT_EQ(kept["attempts"].back()["end"], std::string(297, 'x') + "\xe2\x80\xa6");
  EXPECT_EQ(kept["reason"], std::string(997, 'r') + "\xe2\x80\xa6");

  outcome.attempts.insert(outcome.attempts.begin(), 976, outcome.attempts.front());
  EXPECT_LE(header(dead()).size(), 64U << 10U);
  kept = json::parse(header(dead()));
  EXPECT_EQ(kept["attempts"].size(), 200U);
  EXPECT_EQ(kept["attempts"].front()["end"], "") << "the oldest go first";
  EXPECT_EQ(kept["attempts"].back()["end"], std::string(297, 'x') + "\xe2\x80\xa6");
}

TEST(WireOutcome, ForgedDead_IsNoFailedTask) {
  const Envelope dead = wire::encode_dead(test::outcome_of("t", OutcomeKind::Failed, "3 tries"),
                                          test::submission("t"), wire::make_body("payload"));
  EXPECT_TRUE(wire::is_failed_task(dead));
  for (const char* mark : {"x-death", "x-first-death-queue", "x-juggler-queue"}) {
    Envelope forged = dead;  // by a submitter: it came by the broker's rejection, or a copy
    forged.headers[mark] = {};
    EXPECT_FALSE(wire::is_failed_task(forged)) << mark;
    EXPECT_FALSE(wire::submit_again(forged, "t-again").has_value()) << mark;
  }
}

TEST(WireOutcome, DeadWithForeignHeaders_IsSubmittedAgainWithoutThem) {
  Envelope dead = wire::encode_dead(test::outcome_of("t", OutcomeKind::Failed, "3 tries"),
                                    test::submission("t").min_accuracy(75).reply_to("mine"),
                                    wire::make_body("payload"));
  const Envelope clean = *wire::submit_again(dead, "t-again");
  dead.headers["CC"] = {};
  dead.headers["BCC"] = std::string("x");
  dead.headers["x-other"] = std::int64_t{1};
  EXPECT_EQ(wire::submit_again(dead, "t-again")->headers, clean.headers);
  EXPECT_EQ(clean.reply_to, "mine");
  dead.headers["x-juggler-reply-to"] = std::string("amq.rabbitmq.reply-to.g1h2.x");
  EXPECT_EQ(wire::submit_again(dead, "t-again")->reply_to, "") << "nobody waits there any more";
}

TEST(WireOutcome, UnreadableMessage_IsCopiedWithoutWhatTheBrokerActsOn) {
  Envelope foreign;
  foreign.exchange = "juggler.submit";
  foreign.routing_key = "juggler.tasks";
  foreign.reply_to = "amq.rabbitmq.reply-to.x";
  foreign.user_id = "eve";
  foreign.expiration_ms = 1;
  foreign.headers = {{"CC", {}},
                     {"x-juggler-queue", std::string("forged")},
                     {"model", {}},
                     {"top_k", std::int64_t{3}},
                     {"tensor", std::string(300, 'x')}};
  const Envelope dead = wire::encode_unreadable(foreign, "juggler.tasks", std::string(5000, 'r'));
  EXPECT_EQ(dead.exchange, "");
  EXPECT_EQ(dead.routing_key, "juggler.dead");
  EXPECT_EQ(dead.reply_to + dead.user_id, "");
  EXPECT_FALSE(dead.expiration_ms.has_value() || dead.mandatory);
  ASSERT_EQ(dead.headers.size(), 4U);
  EXPECT_EQ(dead.headers.at("x-juggler-queue"), wire::HeaderValue(std::string("juggler.tasks")));
  EXPECT_EQ(dead.headers.at("x-juggler-routing-key"),
            wire::HeaderValue(std::string("juggler.tasks")));
  EXPECT_EQ(dead.headers.at("top_k"), wire::HeaderValue(std::int64_t{3}));
  EXPECT_LE(std::get<std::string>(dead.headers.at("x-juggler-reason")).size(), 1000U);
  EXPECT_FALSE(wire::is_failed_task(dead));
}

TEST(WireOutcome, DeadUnderAUser_IsSubmittedAgainWithoutIt) {
  Envelope dead = wire::encode_dead(test::outcome_of("t", OutcomeKind::Failed, "3 tries"),
                                    test::submission("t"), wire::make_body("payload"));
  dead.user_id = "alice";
  EXPECT_EQ(wire::submit_again(dead, "t-again")->user_id, "")
      << "else the broker closes the channel";
}

TEST(WireOutcome, Json_HasItsDocumentedFields) {
  const json document = json::parse(wire::outcome_json(completed()));
  EXPECT_EQ(document["outcome"], "completed");
  EXPECT_EQ(document["version"], "1.0");
  EXPECT_EQ(document["labels"][0]["label"], "tabby");
  EXPECT_EQ(document["accuracy_percent"], 75.1);
  EXPECT_EQ(document["energy_uj"], 5000);
  EXPECT_EQ(document["latency_us"]["total"], 90'000);
}

TEST(WireOutcome, NotCompleted_SaysNothingOfADevice) {
  const json document =
      json::parse(wire::outcome_json(test::outcome_of("t", OutcomeKind::Rejected, "why")));
  EXPECT_EQ(document["reason"], "why");
  EXPECT_FALSE(document.contains("device"));
  EXPECT_FALSE(document.contains("labels"));
}

TEST(WireOutcome, TextThatIsNotUtf8_IsRepairedNotThrownAbout) {
  Outcome outcome = test::outcome_of("t", OutcomeKind::Failed, "bad \xff\xfe bytes");
  const json document = json::parse(wire::outcome_json(outcome), nullptr, false);
  ASSERT_FALSE(document.is_discarded());
  EXPECT_NE(document["reason"].get<std::string>().find("bytes"), std::string::npos);
}

TEST(WireOutcome, TextWithEveryEscape_ReadsBackAsItWas) {
  std::string text = "caf\xc3\xa9 \xf0\x9f\x90\x88 / \\ \"";
  for (char c = 1; c < 0x20; ++c) {
    text.push_back(c);
  }
  text.append(1, '\0').append("\x7f end");
  Outcome outcome = completed();
  outcome.labels[0].name = text;
  const std::string written = wire::outcome_json(outcome);
  EXPECT_EQ(json::parse(written)["labels"][0]["label"], text);
  EXPECT_EQ(wire::decode_outcome(wire::encode_outcome(outcome, "r", ""))->labels[0].name, text);
}

TEST(WireOutcome, Numbers_ReadBackExactly) {
  Outcome outcome = completed();
  for (const double score : {0.0, 1.0, 0.1, 1e-7, 0.0312345678901234, 1e22, 5e-324, -2.5}) {
    outcome.labels[0].score = score;
    const json label = json::parse(wire::outcome_json(outcome))["labels"][0];
    EXPECT_TRUE(label["score"].is_number_float()) << score;
    EXPECT_EQ(label["score"], score);
    EXPECT_EQ(wire::decode_outcome(wire::encode_outcome(outcome, "r", ""))->labels[0].score, score);
  }
}

// RapidJSON's own conversion made anything of them, another number each time (the fuzzer's find).
TEST(WireOutcome, ZeroWrittenWithAnExponent_IsZero) {
  Envelope envelope = message();
  const std::string body = *envelope.body;
  const std::string score = "\"score\":0.75";
  const std::size_t at = body.find(score);
  ASSERT_NE(at, std::string::npos);
  for (const char* zero : {"0e-99", "0e99", "-0.0e30", "0.000000000000000000000000000000000"}) {
    envelope.body = wire::make_body(
        std::string(body).replace(at, score.size(), "\"score\":" + std::string(zero)));
    const Result<Outcome> decoded = wire::decode_outcome(envelope);
    ASSERT_TRUE(decoded.has_value()) << zero;
    EXPECT_EQ(decoded->labels[0].score, 0.0) << zero;
  }
}

TEST(WireOutcome, NumberBeyondADouble_IsRefused) {
  Envelope envelope = message();
  std::string body = *envelope.body;
  const std::string score = "0.75";
  body.replace(body.find(score), score.size(), "99e308");
  envelope.body = wire::make_body(body);
  expect_names(envelope, "score");
}

TEST(WireOutcome, ScoreThatIsNoNumber_IsNull) {
  Outcome outcome = completed();
  outcome.labels[0].score = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(json::parse(wire::outcome_json(outcome))["labels"][0]["score"].is_null());
}

TEST(WireOutcome, RequiredFieldMissing_IsRefusedByName) {
  for (const char* field : {"id", "outcome", "device", "processor", "variant", "weights",
                            "accuracy_percent", "accuracy_evidence"}) {
    expect_names(without(message(), std::string("/") + field), field);
  }
  expect_names(without(message(), "/latency_us/total"), "latency_us.total");
  expect_names(without(message(), "/attempts/0/device"), "attempts[0].device");
}

TEST(WireOutcome, FieldOfTheWrongType_IsRefusedByName) {
  const std::vector<std::pair<std::string, json>> wrong{{"id", 5},
                                                        {"submitter", false},
                                                        {"outcome", "done"},
                                                        {"outcome", 0},
                                                        {"reason", json::array()},
                                                        {"deadline_us", -1},
                                                        {"attempts", "two"},
                                                        {"labels", 3},
                                                        {"twin", "no"},
                                                        {"weights", "x"},
                                                        {"accuracy_percent", 101},
                                                        {"energy_uj", -4}};
  for (const auto& [field, value] : wrong) {
    expect_names(with(message(), "/" + field, value), field);
  }
  expect_names(with(message(), "/latency_us/queued", "long"), "latency_us.queued");
}

TEST(WireOutcome, UnknownMajor_IsRefused) {
  Envelope envelope = message();
  envelope.type = "juggler.outcome.v2";
  expect_names(envelope, "message type");
}

TEST(WireOutcome, UnknownFields_AreIgnored) {
  EXPECT_TRUE(wire::decode_outcome(with(message(), "/carbon_ug", 4)).has_value());
}

}  // namespace
}  // namespace juggler
