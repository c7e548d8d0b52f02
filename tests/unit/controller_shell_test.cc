// The loop around the controller, over a loopback transport: messages in, messages out.

#include "runtime/controller_shell.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/loopback.h"
#include "runtime/queries.h"
#include "support/builders.h"
#include "support/runtime_fakes.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using wire::Envelope;

class ControllerShellTest : public ::testing::Test {
 protected:
  ControllerShellTest() {
    lead(1);
    join("pi-1");
    pass(milliseconds(2600));
  }

  // The lead's first mark comes back.
  void lead(std::int64_t epoch) {
    transport_.connect(epoch);
    shell_.turn(Micros{0});
    shell_.turn(Micros{0});
    for (Envelope& mark : transport_.take_published()) {
      transport_.deliver("juggler.tasks", std::move(mark));
    }
    shell_.turn(Micros{0});
    transport_.take_acked();
  }
  void join(const std::string& id) {
    device("juggler.events",
           wire::encode_hello(test::device(id).serves(test::variant("n-fp32"), milliseconds(50))));
  }
  // As the device of the routing key, unless somebody else is named.
  void device(const std::string& queue, Envelope envelope) {
    if (envelope.user_id.empty()) {
      envelope.user_id = envelope.routing_key.substr(envelope.routing_key.find('.') + 1);
    }
    nameless(queue, std::move(envelope));
  }
  void nameless(const std::string& queue, Envelope envelope) {
    transport_.deliver(queue, std::move(envelope));
    turn();
  }
  // Takes all that is due, until nothing happens any more.
  void turn() {
    for (int i = 0; i < 4; ++i) {
      shell_.turn(Micros{0});
      for (Envelope& envelope : transport_.take_published()) {
        published_.push_back(std::move(envelope));
      }
      for (const DeliveryId& id : transport_.take_acked()) {
        acked_.push_back(id);
      }
      for (const DeliveryId& id : transport_.take_rejected()) {
        rejected_.push_back(id);
      }
    }
  }
  void pass(Micros by) {
    for (Micros at; at < by; at += milliseconds(500)) {
      clock_.advance(milliseconds(500));
      Heartbeat beat;
      beat.device = "pi-1";
      beat.incarnation = 1;
      device("juggler.events", wire::encode_heartbeat(beat));
    }
    published_.clear();
    acked_.clear();
    rejected_.clear();
  }
  static Envelope submission(const std::string& id, const std::string& bytes = "bytes") {
    return wire::encode_submission(test::submission(id), wire::make_body(bytes));
  }
  void submit(Envelope envelope, bool redelivered = false) {
    transport_.deliver("juggler.tasks", std::move(envelope), redelivered);
    turn();
  }
  // The messages of one type.
  std::vector<Envelope> of_type(const std::string& type) const {
    std::vector<Envelope> found;
    for (const Envelope& envelope : published_) {
      if (envelope.type == type) {
        found.push_back(envelope);
      }
    }
    return found;
  }
  std::size_t dead_letters() const {
    return static_cast<std::size_t>(std::count_if(
        published_.begin(), published_.end(),
        [](const Envelope& envelope) { return envelope.routing_key == wire::kDeadQueue; }));
  }
  void answer_dispatch() {
    const Dispatch dispatch = *wire::decode_dispatch(of_type("juggler.task.v1").back());
    device("juggler.results", wire::encode_result(test::result_of(dispatch)));
  }

  LoopbackTransport transport_;
  test::ManualClock clock_;
  Controller controller_{ControllerConfig{}, std::move(*make_policy("juggler"))};
  ControllerShell shell_{
      controller_,
      transport_,
      clock_,
      {.read_picture = [](PayloadKind /*kind*/, std::string_view bytes) -> Result<PictureSize> {
         if (bytes == "torn") {
           return fail(ErrorCode::Corrupt, "not a picture: torn");
         }
         return PictureSize{640, 480};
       },
       .answered = {},
       .version = "test 1.0",
       .login = "controller",
       .stamp_key = "key"}};
  std::vector<Envelope> published_;
  std::vector<DeliveryId> acked_;
  std::vector<DeliveryId> rejected_;
};

TEST_F(ControllerShellTest, Submission_IsDispatchedWithItsBytesAndItsPicturesSize) {
  submit(submission("t", "the picture"));
  ASSERT_EQ(of_type("juggler.task.v1").size(), 1U);
  const Envelope sent = of_type("juggler.task.v1")[0];
  EXPECT_EQ(*sent.body, "the picture");
  EXPECT_EQ(sent.routing_key, "pi-1");
  const auto dispatch = wire::decode_dispatch(sent);
  ASSERT_TRUE(dispatch.has_value());
  EXPECT_EQ(dispatch->payload.width, 640);
}

TEST_F(ControllerShellTest, Result_BecomesAnOutcomeAndBothAreAcked) {
  submit(submission("t"));
  answer_dispatch();
  ASSERT_EQ(of_type("juggler.outcome.v1").size(), 1U);
  const Envelope sent = of_type("juggler.outcome.v1")[0];
  EXPECT_EQ(sent.routing_key, "replies");
  EXPECT_EQ(wire::decode_outcome(sent)->kind, OutcomeKind::Completed);
  EXPECT_EQ(acked_.size(), 1U);
  clock_.advance(milliseconds(200));
  turn();
  EXPECT_EQ(acked_.size(), 2U);
  EXPECT_TRUE(rejected_.empty());
}

// A broker that dies forgets acks that are not on its disk, each queue for itself.
TEST_F(ControllerShellTest, ResultsAck_WaitsUntilAMarkBehindItsTasksAckIsConfirmed) {
  transport_.settle_as(wire::kSubmitExchange, PublishEnd::Refused);
  submit(submission("t"));
  answer_dispatch();
  ASSERT_EQ(acked_.size(), 1U) << "the task's";
  clock_.advance(milliseconds(200));
  turn();
  ASSERT_EQ(of_type("juggler.mark.v1").size(), 1U);
  EXPECT_EQ(acked_.size(), 1U) << "the mark was refused";
  transport_.settle_as(wire::kSubmitExchange, PublishEnd::Confirmed);
  clock_.advance(milliseconds(200));
  turn();
  ASSERT_EQ(of_type("juggler.mark.v1").size(), 2U);
  EXPECT_EQ(acked_.size(), 2U);
  clock_.advance(seconds(2));
  turn();
  EXPECT_EQ(of_type("juggler.mark.v1").size(), 2U) << "nothing waits for one";
}

// The transport sends acks with the next poll, and publishes at once.
TEST_F(ControllerShellTest, ResultOfTheTurnInWhichAMarkGoes_WaitsForTheNextMark) {
  join("pi-2");
  acked_.clear();
  submit(submission("t"));
  submit(submission("u"));
  const std::vector<Envelope> sent = of_type("juggler.task.v1");
  ASSERT_EQ(sent.size(), 2U);
  device("juggler.results", wire::encode_result(test::result_of(*wire::decode_dispatch(sent[0]))));
  clock_.advance(milliseconds(200));
  device("juggler.results", wire::encode_result(test::result_of(*wire::decode_dispatch(sent[1]))));
  EXPECT_EQ(of_type("juggler.mark.v1").size(), 1U);
  EXPECT_EQ(acked_.size(), 3U) << "two tasks and the first result";
  clock_.advance(milliseconds(200));
  turn();
  EXPECT_EQ(of_type("juggler.mark.v1").size(), 2U);
  EXPECT_EQ(acked_.size(), 4U);
}

// A broker that gives no tasks for long has not said that there are none.
TEST_F(ControllerShellTest, LeadsFirstMark_ComesBackBehindTheTasksThatLayThere) {
  AttemptResult early = test::result_of([this] {
    submit(submission("t"));
    return *wire::decode_dispatch(of_type("juggler.task.v1").back());
  }());
  early.attempt.task.id = "another";
  early.stamp = Stamps("key").of(early.attempt, "pi-1");
  transport_.disconnect("cut");
  turn();
  published_.clear();
  acked_.clear();
  transport_.connect(2);
  turn();
  const std::vector<Envelope> marks = of_type("juggler.mark.v1");
  ASSERT_EQ(marks.size(), 1U);
  device("juggler.results", wire::encode_result(early));
  clock_.advance(seconds(60));
  turn();
  EXPECT_TRUE(acked_.empty());
  EXPECT_EQ(of_type("juggler.mark.v1").size(), 2U) << "the first may have gone with its queue";
  submit(marks[0]);
  EXPECT_EQ(acked_.size(), 1U) << "the mark";
  clock_.advance(seconds(10));
  turn();
  clock_.advance(milliseconds(200));
  turn();
  EXPECT_EQ(acked_.size(), 2U) << "and the result, which belongs to no task";
}

TEST_F(ControllerShellTest, MarkOfAnEarlierLead_IsAckedAtOnce) {
  submit(wire::encode_mark("controller", "7-1"), true);
  EXPECT_EQ(acked_.size(), 1U);
  EXPECT_TRUE(published_.empty());
}

TEST_F(ControllerShellTest, MarkOfSomebodyElse_SaysNothing) {
  transport_.disconnect("cut");
  turn();
  transport_.connect(2);
  turn();
  acked_.clear();
  submit(wire::encode_mark("eve", of_type("juggler.mark.v1").back().message_id));
  EXPECT_EQ(acked_.size(), 1U);
  AttemptResult stray;
  stray.attempt = {{"user:a", "gone"}, 1, 1};
  stray.device = "pi-1";
  stray.processor = "cpu0";
  stray.variant = "n-fp32";
  stray.stamp = Stamps("key").of(stray.attempt, "pi-1");
  device("juggler.results", wire::encode_result(stray));
  clock_.advance(seconds(30));
  turn();
  clock_.advance(seconds(1));
  turn();
  EXPECT_EQ(acked_.size(), 1U) << "no mark of ours has come back";
}

TEST_F(ControllerShellTest, ConnectionLost_NoAckOfTheLastOneIsHeld) {
  submit(submission("t"));
  answer_dispatch();
  transport_.disconnect("cut");
  turn();
  lead(2);
  turn();
  clock_.advance(seconds(1));
  turn();
  EXPECT_TRUE(of_type("juggler.mark.v1").empty());
  EXPECT_EQ(acked_.size(), 1U);
}

TEST_F(ControllerShellTest, PayloadIsKeptForASecondAttempt) {
  join("pi-2");
  submit(submission("t", "the picture"));
  const Dispatch first = *wire::decode_dispatch(of_type("juggler.task.v1").back());
  device("juggler.results",
         wire::encode_result(test::result_of(first, AttemptStatus::Error, "crash")));
  ASSERT_EQ(of_type("juggler.task.v1").size(), 2U);
  EXPECT_EQ(*of_type("juggler.task.v1")[1].body, "the picture");
}

TEST_F(ControllerShellTest, FailedTask_GoesToTheDeadLettersWithItsBytes) {
  submit(submission("t", "the picture"));
  const Dispatch first = *wire::decode_dispatch(of_type("juggler.task.v1").back());
  device("juggler.results",
         wire::encode_result(test::result_of(first, AttemptStatus::BadPayload, "torn")));
  ASSERT_EQ(of_type("juggler.dead.v1").size(), 1U);
  EXPECT_EQ(*of_type("juggler.dead.v1")[0].body, "the picture");
  EXPECT_EQ(of_type("juggler.dead.v1")[0].routing_key, "juggler.failed");
  EXPECT_EQ(dead_letters(), 0U) << "not where messages lie that nobody could read";
}

TEST_F(ControllerShellTest, QuestionForTasks_IsAnsweredByWhoTheBrokerSaysAsks) {
  Envelope task = submission("t");
  task.user_id = "alice";
  submit(task);
  const auto told = [this](const std::string& user) {
    published_.clear();
    Envelope question = make_query("tasks", "", "cli-replies", "q1");
    question.user_id = user;
    device("juggler.queries", question);
    return *of_type("juggler.answer.v1").at(0).body;
  };
  EXPECT_NE(told("alice").find(R"("id":"t")"), std::string::npos);
  EXPECT_NE(told("controller").find(R"("id":"t")"), std::string::npos);
  EXPECT_EQ(told("bob").find(R"("id":"t")"), std::string::npos);
}

TEST_F(ControllerShellTest, BadPicture_IsRejectedBeforeItCostsADevice) {
  submit(submission("t", "torn"));
  EXPECT_TRUE(of_type("juggler.task.v1").empty());
  ASSERT_FALSE(of_type("juggler.outcome.v1").empty());
  EXPECT_EQ(wire::decode_outcome(of_type("juggler.outcome.v1")[0])->reason, "not a picture: torn");
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_EQ(acked_.size(), 1U);
  EXPECT_EQ(shell_.stats().malformed, 1U);
}

TEST_F(ControllerShellTest, SubmissionOfJunkWithoutAReplyQueue_IsDeadLettered) {
  Envelope junk;
  junk.routing_key = "juggler.tasks";
  junk.content_type = "text/html";
  junk.body = wire::make_body("<html>");
  submit(junk);
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_EQ(published_.size(), 1U);
  EXPECT_EQ(acked_.size(), 1U);
}

// CC as anything but a list ends the controller's channel; x-death makes a queue of the broker
// crash that dead-letters it.
TEST_F(ControllerShellTest, HeadersOfAnUnreadableMessage_AreNotCopiedOn) {
  for (const char* queue : {"juggler.tasks", "juggler.results", "juggler.queries"}) {
    published_.clear();
    acked_.clear();
    Envelope junk;
    junk.content_type = "text/html";
    junk.body = wire::make_body("<html>");
    junk.headers = {{"CC", {}}, {"BCC", {}}, {"x-death", {}}, {"model", std::string("n")}};
    nameless(queue, junk);
    EXPECT_EQ(dead_letters(), 1U) << queue;
    std::vector<std::string> names;
    for (const auto& [name, value] : published_.at(0).headers) {
      names.push_back(name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"model", "x-juggler-queue", "x-juggler-reason",
                                               "x-juggler-routing-key"}));
    EXPECT_EQ(acked_.size(), 1U) << queue;
    EXPECT_TRUE(rejected_.empty()) << "the broker would write into its headers";
  }
}

TEST_F(ControllerShellTest, FloodOfLargeJunk_IsCopiedWithoutItsBodiesBeyond32MiB) {
  for (int i = 0; i < 12; ++i) {
    Envelope junk;
    junk.routing_key = "result.pi-1";
    junk.body = wire::make_body(std::string(std::size_t{8} << 20U, 'j'));
    transport_.deliver("juggler.results", junk);
  }
  turn();
  EXPECT_EQ(dead_letters(), 12U);
  EXPECT_EQ(acked_.size(), 12U);
  const auto whole = [&] {
    return std::count_if(published_.begin(), published_.end(),
                         [](const Envelope& copy) { return !copy.body->empty(); });
  };
  EXPECT_EQ(whole(), 4);
  Envelope later;  // the others are confirmed
  later.body = wire::make_body("j");
  nameless("juggler.results", later);
  EXPECT_EQ(whole(), 5);
}

TEST_F(ControllerShellTest, SubmissionThatWasTooLargeToBeRead_IsRejectedWithTheReason) {
  Envelope envelope = submission("t");
  envelope.body = wire::make_body("");
  transport_.deliver_too_large("juggler.tasks", envelope);
  turn();
  ASSERT_EQ(of_type("juggler.outcome.v1").size(), 1U);
  EXPECT_NE(wire::decode_outcome(of_type("juggler.outcome.v1")[0])->reason.find("16 MiB"),
            std::string::npos);
  EXPECT_EQ(acked_.size(), 1U);
}

TEST_F(ControllerShellTest, ForgedDirectReplyTo_IsNeverPublishedTo) {
  const std::string forged = "amq.rabbitmq.reply-to.%%%.x";
  Envelope task = submission("t");
  task.reply_to = forged;
  submit(task);
  device("juggler.queries", make_query("status", "", forged, "q1"));
  EXPECT_EQ(dead_letters(), 2U);
  EXPECT_EQ(published_.size(), 2U);
  EXPECT_EQ(acked_.size(), 2U);
}

TEST_F(ControllerShellTest, SubmissionWithoutABody_IsRejectedNotFatal) {
  Envelope envelope = submission("t");
  envelope.body = nullptr;
  submit(envelope);
  EXPECT_EQ(of_type("juggler.outcome.v1").size(), 1U);
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_EQ(acked_.size(), 1U);
}

TEST_F(ControllerShellTest, JunkOnEveryQueue_IsDeadLetteredAndNobodyStops) {
  Envelope junk;
  junk.routing_key = "heartbeat.pi-1";
  junk.type = "juggler.result.v1";
  junk.body = wire::make_body("{\"a\":[1,2,\xff");
  for (const char* queue : {"juggler.results", "juggler.decided", "juggler.events"}) {
    device(queue, junk);
    Envelope empty = junk;
    empty.body = nullptr;
    empty.routing_key = "";
    device(queue, empty);
  }
  EXPECT_EQ(dead_letters(), 6U);
  submit(submission("t"));
  EXPECT_EQ(of_type("juggler.task.v1").size(), 1U);
}

TEST_F(ControllerShellTest, Dispatch_BearsAStampOfItsAttemptAndDevice) {
  submit(submission("t"));
  submit(submission("u"));
  const std::vector<Envelope> sent = of_type("juggler.task.v1");
  ASSERT_EQ(sent.size(), 2U);
  const Dispatch first = *wire::decode_dispatch(sent[0]);
  EXPECT_EQ(first.stamp, Stamps("key").of(first.attempt, "pi-1"));
  EXPECT_NE(first.stamp, wire::decode_dispatch(sent[1])->stamp);
}

// What another controller of the fleet has dispatched is known by its stamp alone.
TEST_F(ControllerShellTest, ResultOfAnothersDispatch_AnswersItsTaskOnlyWithTheRightStamp) {
  submit(submission("first"));
  AttemptResult result = test::result_of(*wire::decode_dispatch(of_type("juggler.task.v1").back()));
  result.attempt.epoch = 0;
  int number = 0;
  for (const std::string stamp : {"", "0123456789abcdef", "of another", "right"}) {
    result.attempt.task.id = "t" + std::to_string(++number);
    const bool right = stamp == "right";
    result.stamp = right ? Stamps("key").of(result.attempt, "pi-1") : stamp;
    if (stamp == "of another") {
      result.stamp = Stamps("key").of(result.attempt, "pi-2");
    }
    device("juggler.results", wire::encode_result(result));
    published_.clear();
    submit(submission(result.attempt.task.id));
    EXPECT_EQ(of_type("juggler.outcome.v1").size(), right ? 1U : 0U) << stamp;
  }
  EXPECT_EQ(controller_.stats().results_invented, 3U);
}

TEST_F(ControllerShellTest, RunningAttemptOfAnothersDispatch_IsAdoptedOnlyWithTheRightStamp) {
  submit(submission("first"));
  AttemptId running = wire::decode_dispatch(of_type("juggler.task.v1").back())->attempt;
  running.epoch = 1;
  running.task.id = "t";
  transport_.disconnect("cut");
  turn();
  lead(2);
  submit(submission("t"), true);
  Heartbeat beat;
  beat.device = "pi-1";
  beat.incarnation = 1;
  for (const std::string& stamp :
       {std::string("0123456789abcdef"), Stamps("another key").of(running, "pi-1")}) {
    beat.running = {{running, stamp}};
    device("juggler.events", wire::encode_heartbeat(beat));
    EXPECT_EQ(controller_.tasks().find(running.task)->phase, TaskPhase::Waiting);
  }
  beat.running = {{running, Stamps("key").of(running, "pi-1")}};
  device("juggler.events", wire::encode_heartbeat(beat));
  EXPECT_EQ(controller_.tasks().find(running.task)->phase, TaskPhase::InFlight);
}

TEST(Stamps, AreThoseOfEveryControllerWithTheKey) {
  const AttemptId attempt{{"user:a", "t"}, 3, 2};
  EXPECT_EQ(Stamps("key").of(attempt, "pi-1"), "3f0a4a09266459a9");
  EXPECT_TRUE(Stamps("key").right("3f0a4a09266459a9", attempt, "pi-1"));
  EXPECT_FALSE(Stamps("key").right("3f0a4a09266459a9", attempt, "pi-2"));
  EXPECT_FALSE(Stamps("key2").right("3f0a4a09266459a9", attempt, "pi-1"));
}

TEST(Stamps, OfShiftedTexts_Differ) {
  const Stamps stamps("key");
  EXPECT_NE(stamps.of({{"user:a", "1t"}, 3, 2}, "pi"), stamps.of({{"user:a1", "t"}, 3, 2}, "pi"));
  EXPECT_NE(stamps.of({{"user:a", "t"}, 13, 2}, "pi"), stamps.of({{"user:a", "t"}, 3, 2}, "pi1"));
}

TEST(Stamps, WithoutAKey_NoneIsPutOnAndNoneIsRight) {
  const AttemptId attempt{{"user:a", "t"}, 3, 2};
  EXPECT_EQ(Stamps("").of(attempt, "pi-1"), "");
  EXPECT_FALSE(Stamps("").right("", attempt, "pi-1"));
  EXPECT_FALSE(Stamps("").right("0123456789abcdef", attempt, "pi-1"));
}

TEST(Stamps, KeyOfASecret_IsTheSameEverywhere) {
  const std::string key = stamp_key_of("secret");
  EXPECT_EQ(key.size(), 32U);
  EXPECT_EQ(static_cast<unsigned char>(key[0]), 0xc6);
  EXPECT_EQ(static_cast<unsigned char>(key[31]), 0xd2);
  EXPECT_EQ(stamp_key_of(""), "");
}

TEST_F(ControllerShellTest, ResultSentUnderAnothersName_IsDeadLettered) {
  submit(submission("t"));
  const Dispatch dispatch = *wire::decode_dispatch(of_type("juggler.task.v1").back());
  Envelope forged = wire::encode_result(test::result_of(dispatch));
  forged.user_id = "eve";
  device("juggler.results", forged);
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_TRUE(of_type("juggler.outcome.v1").empty());
  forged.user_id = "";  // the broker lets it pass from whoever may write to a queue directly
  nameless("juggler.results", forged);
  EXPECT_EQ(dead_letters(), 2U);
  EXPECT_TRUE(of_type("juggler.outcome.v1").empty());
  forged.user_id = "controller";  // one login for the whole fleet
  device("juggler.results", forged);
  EXPECT_EQ(of_type("juggler.outcome.v1").size(), 1U);
}

TEST_F(ControllerShellTest, HeartbeatAndHelloUnderAnothersName_AreDeadLettered) {
  Heartbeat beat;
  beat.device = "new";
  Envelope forged = wire::encode_heartbeat(beat);
  nameless("juggler.events", forged);
  forged.user_id = "pi-1";
  device("juggler.events", forged);
  EXPECT_TRUE(of_type("juggler.control.v1").empty()) << "it was listened to";
  Envelope hello = wire::encode_hello(test::device("new"));
  nameless("juggler.events", hello);
  hello.user_id = "pi-1";
  device("juggler.events", hello);
  EXPECT_EQ(controller_.fleet().find("new"), nullptr);
  EXPECT_EQ(dead_letters(), 4U);
}

TEST_F(ControllerShellTest, DeviceThatFloodsWithHellos_IsHeardTwiceASecond) {
  DeviceFacts facts = test::device("new").serves(test::variant("n-fp32"), milliseconds(50));
  const auto greet = [&](std::int64_t incarnation) {
    facts.incarnation = incarnation;
    device("juggler.events", wire::encode_hello(facts));
    return controller_.fleet().find("new")->facts->incarnation == incarnation;
  };
  int taken = 0;
  for (std::int64_t i = 1; i <= 50; ++i) {
    taken += greet(i) ? 1 : 0;
  }
  EXPECT_EQ(taken, 10);
  pass(milliseconds(500));
  EXPECT_TRUE(greet(51));
  EXPECT_FALSE(greet(52));
  join("other");
  EXPECT_NE(controller_.fleet().find("other"), nullptr) << "another device is not concerned";
  EXPECT_EQ(dead_letters(), 0U);
}

TEST_F(ControllerShellTest, DeviceThatFloodsWithHeartbeats_IsHeardFiveTimesASecond) {
  Heartbeat beat;
  beat.device = "new";  // whose hello is asked for with each
  const auto heard = [&](int times) {
    published_.clear();
    for (int i = 0; i < times; ++i) {
      device("juggler.events", wire::encode_heartbeat(beat));
    }
    return of_type("juggler.control.v1").size();
  };
  EXPECT_EQ(heard(50), 20U);
  EXPECT_EQ(shell_.stats().beats_left_out, 30U);
  clock_.advance(milliseconds(200));
  EXPECT_EQ(heard(2), 1U);
  Envelope unreadable = wire::encode_heartbeat(beat);
  unreadable.body = wire::make_body("{");
  device("juggler.events", unreadable);
  EXPECT_EQ(dead_letters(), 0U) << "it is not read at all";
  beat.device = "other";
  EXPECT_EQ(heard(1), 1U) << "another device is not concerned";
}

// Twice as often as any controller asks for, and at once when something changes.
TEST_F(ControllerShellTest, DeviceThatBeatsAsOftenAsItMay_IsHeardAlways) {
  Heartbeat beat;
  beat.device = "new";
  for (int i = 0; i < 200; ++i) {
    clock_.advance(milliseconds(400));
    device("juggler.events", wire::encode_heartbeat(beat));
    device("juggler.events", wire::encode_heartbeat(beat));
  }
  EXPECT_EQ(shell_.stats().beats_left_out, 0U);
}

TEST_F(ControllerShellTest, HeartbeatOfAStranger_IsAskedForItsHello) {
  Heartbeat beat;
  beat.device = "new";
  device("juggler.events", wire::encode_heartbeat(beat));
  ASSERT_EQ(of_type("juggler.control.v1").size(), 1U);
  EXPECT_EQ(of_type("juggler.control.v1")[0].routing_key, "device.new");
}

TEST_F(ControllerShellTest, Query_IsAnsweredToItsReplyQueue) {
  device("juggler.queries", make_query("status", "", "cli-replies", "q1"));
  ASSERT_EQ(of_type("juggler.answer.v1").size(), 1U);
  EXPECT_EQ(of_type("juggler.answer.v1")[0].routing_key, "cli-replies");
  EXPECT_EQ(of_type("juggler.answer.v1")[0].correlation_id, "q1");
  EXPECT_NE(of_type("juggler.answer.v1")[0].body->find("test 1.0"), std::string::npos);
}

TEST_F(ControllerShellTest, QueryThatWouldBeAnsweredIntoAQueueOfTheSystem_IsDeadLettered) {
  device("juggler.queries", make_query("status", "", "juggler.tasks", "q1"));
  device("juggler.queries", make_query("status", "", "", "q1"));
  EXPECT_TRUE(of_type("juggler.answer.v1").empty());
  EXPECT_EQ(dead_letters(), 2U);
}

TEST_F(ControllerShellTest, ConnectionLost_TheTaskIsAnsweredOnTheNext) {
  submit(submission("t"));
  const Dispatch dispatch = *wire::decode_dispatch(of_type("juggler.task.v1").back());
  transport_.disconnect("cut");
  turn();
  transport_.connect(2);
  turn();
  submit(submission("t"), true);
  device("juggler.results", wire::encode_result(test::result_of(dispatch)));
  EXPECT_EQ(of_type("juggler.outcome.v1").size(), 1U);
  EXPECT_EQ(of_type("juggler.task.v1").size(), 1U);
}

TEST_F(ControllerShellTest, ReplyQueueGone_OutcomeGoesToUnrouted) {
  transport_.settle_as("", PublishEnd::Returned);
  submit(submission("t"));
  answer_dispatch();
  const std::vector<Envelope> sent = of_type("juggler.outcome.v1");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].exchange, "juggler.unrouted");
}

}  // namespace
}  // namespace juggler
