// The lines of a journal: what is written reads back as the same, and what is no line of a journal
// is refused with the reason.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include "support/generators.h"
#include "wire/journal.h"

namespace juggler {
namespace {

using wire::decode_journal;
using wire::JournalGap;
using wire::JournalHead;
using wire::JournalKnown;
using wire::JournalLine;
using wire::JournalStep;

ControllerEvent read_back(const ControllerEvent& event) {
  const Result<JournalLine> line = decode_journal(wire::encode_step(Time{7}, 0xabcU, event));
  RC_ASSERT(line.has_value());
  const auto* step = std::get_if<JournalStep>(&*line);
  RC_ASSERT(step != nullptr);
  RC_ASSERT(step->at == Time{7});
  RC_ASSERT(step->digest == 0xabcU);
  return step->event;
}

template <class Event>
Event same_kind(const Event& event) {
  const ControllerEvent read = read_back(event);
  RC_ASSERT(std::holds_alternative<Event>(read));
  return std::get<Event>(read);
}

std::string error_of(std::string_view line) {
  const Result<JournalLine> read = decode_journal(line);
  return read ? "" : read.error().message;
}

RC_GTEST_PROP(JournalLine, Submitted, ()) {
  const Submitted event{.submission = *test::any_submission(),
                        .delivery = {*rc::gen::arbitrary<std::uint64_t>(), 5},
                        .refusal = *test::any_text(0, 20),
                        .id_given = *rc::gen::arbitrary<bool>()};
  const Submitted read = same_kind(event);
  RC_ASSERT(read.submission == event.submission);
  RC_ASSERT(read.delivery == event.delivery);
  RC_ASSERT(read.refusal == event.refusal);
  RC_ASSERT(read.id_given == event.id_given);
}

RC_GTEST_PROP(JournalLine, ResultArrived_ButForItsLabels, ()) {
  ResultArrived event{*test::any_result(), {1, *rc::gen::arbitrary<std::uint64_t>()}, Bytes{70}};
  const ResultArrived read = same_kind(event);
  event.result.labels.clear();
  RC_ASSERT(read.result == event.result);
  RC_ASSERT(read.delivery == event.delivery);
  RC_ASSERT(read.size == event.size);
}

RC_GTEST_PROP(JournalLine, HelloArrived, ()) {
  const HelloArrived event{*test::any_facts()};
  RC_ASSERT(same_kind(event).facts == event.facts);
}

RC_GTEST_PROP(JournalLine, HeartbeatArrived, ()) {
  const HeartbeatArrived event{*test::any_heartbeat()};
  RC_ASSERT(same_kind(event).heartbeat == event.heartbeat);
}

RC_GTEST_PROP(JournalLine, DecidedRead, ()) {
  const DecidedRead event{*test::any_outcome()};
  RC_ASSERT(same_kind(event).outcome == event.outcome);
}

RC_GTEST_PROP(JournalLine, SmallEvents, ()) {
  const LeadBegun begun{*rc::gen::inRange<std::int64_t>(0, INT64_MAX), 3};
  RC_ASSERT(same_kind(begun).epoch == begun.epoch);
  RC_ASSERT(same_kind(begun).predecessor == 3);
  same_kind(LeadEnded{});
  same_kind(Tick{});
  same_kind(TasksRead{});
  RC_ASSERT(same_kind(BrokerBlocked{true}).blocked);
  RC_ASSERT(same_kind(PresenceTold{"pi5", true}).device == "pi5");
  RC_ASSERT(same_kind(PresenceTold{"pi5", true}).present);
  for (const PublishEnd end :
       {PublishEnd::Confirmed, PublishEnd::Returned, PublishEnd::Refused, PublishEnd::Unknown}) {
    const PublishSettled settled{*rc::gen::arbitrary<std::uint64_t>(), end};
    RC_ASSERT(same_kind(settled).id == settled.id);
    RC_ASSERT(same_kind(settled).end == end);
  }
}

// Whoever adds one adds it to the journal, and to the tests above.
static_assert(std::variant_size_v<ControllerEvent> == 12);

// A refused submission may hold anything.
TEST(JournalLine, BytesThatAreNoUtf8_ReadBackAsTheyWere) {
  Submitted event;
  event.submission.key = {"user:a", std::string("\xff\x00\x80", 3)};
  event.submission.correlation_id = "\xc3";
  event.refusal = "header '\xfe' is wrong";
  const Result<JournalLine> line = decode_journal(wire::encode_step(Time{1}, 1, event));
  ASSERT_TRUE(line.has_value()) << line.error().message;
  const auto& read = std::get<Submitted>(std::get<JournalStep>(*line).event);
  EXPECT_EQ(read.submission, event.submission);
  EXPECT_EQ(read.refusal, event.refusal);
}

TEST(JournalLine, Head_KeepsTheWholeConfiguration) {
  JournalHead head;
  head.run = "20260101T000000Z-1";
  head.segment = 3;
  head.juggler = "0.1.0 (abc)";
  head.policy = "single-variant:a";
  head.unix_s = 17;
  head.config.seed = UINT64_MAX - 3;
  head.config.min_accuracy = MilliPercent{75'000};
  head.config.hedges = false;
  head.config.attempts_max = 5;
  head.config.tasks_bytes_max = mebibytes(7);
  const std::string text = wire::encode_journal(head);
  const Result<JournalLine> line = decode_journal(text);
  ASSERT_TRUE(line.has_value()) << line.error().message;
  const auto& read = std::get<JournalHead>(*line);
  EXPECT_EQ(wire::encode_journal(read), text);
  EXPECT_EQ(read.config.seed, UINT64_MAX - 3);
  EXPECT_EQ(read.config.min_accuracy, MilliPercent{75'000});
  EXPECT_FALSE(read.config.max_energy.has_value());
  EXPECT_EQ(read.config.attempts_max, 5);
}

TEST(JournalLine, GapAndKnownDevice_ReadBack) {
  const Result<JournalLine> gap = decode_journal(wire::encode_journal(JournalGap{12, "disk full"}));
  ASSERT_TRUE(gap.has_value());
  EXPECT_EQ(std::get<JournalGap>(*gap).steps, 12);
  EXPECT_EQ(std::get<JournalGap>(*gap).reason, "disk full");
  DeviceFacts facts;
  facts.id = "orin-1";
  const Result<JournalLine> known = decode_journal(wire::encode_known(facts));
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(std::get<JournalKnown>(*known).facts.id, "orin-1");
}

TEST(JournalLine, AnotherVersion_SaysWhatToDo) {
  const std::string error = error_of(R"x({"journal":4,"juggler":"9.0 (f00)"})x");
  EXPECT_NE(error.find("version 4"), std::string::npos) << error;
  EXPECT_NE(error.find("9.0 (f00)"), std::string::npos) << error;
}

TEST(JournalLine, Junk_IsRefusedWithTheField) {
  EXPECT_EQ(error_of("x"), "not JSON");
  EXPECT_EQ(error_of(R"({"at_us":1,"digest":"00","event":"ti)"), "not JSON");
  EXPECT_NE(error_of("{}").find("not a line of a journal"), std::string::npos);
  EXPECT_NE(error_of(R"({"at_us":1,"digest":"00","event":"dance"})").find("'dance'"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"at_us":1,"digest":"zz","event":"tick"})").find("digest"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"at_us":-1,"digest":"00","event":"tick"})").find("at_us"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"at_us":1,"digest":"00","event":"hello"})").find("device"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"journal":2,"policy":"juggler"})").find("config"), std::string::npos);
}

}  // namespace
}  // namespace juggler
