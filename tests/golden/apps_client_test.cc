// The client over a transport in this process: what it sends again, what it drops, when it ends.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/client.h"
#include "runtime/loopback.h"
#include "wire/messages.h"

namespace juggler {
namespace {

// A clock that the test moves.
class StillClock final : public Clock {
 public:
  Time now() override { return now_; }
  std::int64_t unix_seconds() override { return 0; }
  void advance(Micros by) { now_ = now_ + by; }

 private:
  Time now_{1'000'000};
};

ClientTask task(const std::string& id) {
  return {id, {}, [] {
            return Result<PictureFile>(PictureFile{PayloadKind::Jpeg, wire::make_body("picture")});
          }};
}

wire::Envelope outcome_of(const wire::Envelope& submission, OutcomeKind kind) {
  Outcome outcome;
  outcome.key.id = submission.message_id;
  outcome.kind = kind;
  outcome.reason = "because";
  outcome.device = "d";
  outcome.processor = "cpu0";
  outcome.variant = "n-fp32";
  return wire::encode_outcome(outcome, submission.reply_to, submission.correlation_id);
}

struct Fixture {
  LoopbackTransport transport;
  StillClock clock;
  Client client{transport, clock, "alice"};
  std::vector<wire::Envelope> sent;

  // Runs `tasks`; `step` is called at every turn with its number.
  std::vector<ClientAnswer> run(const std::vector<ClientTask>& tasks, std::size_t outstanding,
                                const std::function<bool(int)>& step) {
    transport.connect(0);
    int turn = 0;
    ClientRun options;
    options.outstanding_max = outstanding;
    options.stop = [&] {
      for (wire::Envelope& envelope : transport.take_published()) {
        sent.push_back(std::move(envelope));
      }
      clock.advance(milliseconds(100));
      return step(turn++);
    };
    return client.run(tasks, options);
  }
  void answer(std::size_t which, OutcomeKind kind = OutcomeKind::Completed) {
    transport.deliver("replies", outcome_of(sent.at(which), kind));
  }
};

TEST(Client, Outcome_EndsItsTask) {
  Fixture fixture;
  const auto answers = fixture.run({task("a")}, 4, [&](int turn) {
    if (turn == 2) {
      fixture.answer(0);
    }
    return turn > 20;
  });
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].end, ClientEnd::Answered);
  EXPECT_EQ(answers[0].outcome.kind, OutcomeKind::Completed);
  EXPECT_EQ(fixture.sent.at(0).user_id, "alice");
  EXPECT_EQ(fixture.sent.at(0).content_type, "image/jpeg");
}

TEST(Client, Outstanding_IsBounded) {
  Fixture fixture;
  const auto answers = fixture.run({task("a"), task("b"), task("c")}, 2, [&](int turn) {
    if (turn == 3) {
      EXPECT_EQ(fixture.sent.size(), 2U);
    }
    return turn > 5;
  });
  EXPECT_EQ(answers[0].end, ClientEnd::Stopped);
  EXPECT_EQ(answers[2].end, ClientEnd::NotSent);
}

TEST(Client, Reconnect_SendsWhatIsOpenAgainUnderTheSameId) {
  Fixture fixture;
  const auto answers = fixture.run({task("a")}, 1, [&](int turn) {
    if (turn == 2) {
      fixture.transport.disconnect("cut");
      fixture.transport.connect(0);
    }
    if (turn == 4) {
      fixture.answer(1);
    }
    return turn > 20;
  });
  EXPECT_EQ(answers[0].end, ClientEnd::Answered);
  ASSERT_EQ(fixture.sent.size(), 2U);
  EXPECT_EQ(fixture.sent[0].message_id, fixture.sent[1].message_id);
}

TEST(Client, SecondOutcomeOfATask_IsDropped) {
  Fixture fixture;
  int ended = 0;
  const auto answers = fixture.run({task("a"), task("b")}, 2, [&](int turn) {
    if (turn == 2) {
      fixture.answer(0);
      fixture.answer(0, OutcomeKind::Failed);
    }
    if (turn == 4) {
      fixture.answer(1);
    }
    ended += 1;
    return turn > 20;
  });
  EXPECT_EQ(answers[0].outcome.kind, OutcomeKind::Completed);
  EXPECT_EQ(answers[1].end, ClientEnd::Answered);
}

TEST(Client, UnroutableTask_SaysThatNoControllerRuns) {
  Fixture fixture;
  fixture.transport.settle_as(wire::kSubmitExchange, PublishEnd::Returned);
  const auto answers = fixture.run({task("a")}, 1, [](int turn) { return turn > 20; });
  EXPECT_EQ(answers[0].end, ClientEnd::Unroutable);
  EXPECT_NE(answers[0].problem.find("juggler up"), std::string::npos);
}

TEST(Client, NoOutcome_TimesOut) {
  Fixture fixture;
  const auto answers = fixture.run({task("a")}, 1, [&](int turn) {
    fixture.clock.advance(seconds(20));
    return turn > 100;
  });
  EXPECT_EQ(answers[0].end, ClientEnd::TimedOut);
}

TEST(Client, UnreadableFile_EndsAloneAndNothingIsSent) {
  Fixture fixture;
  const ClientTask broken{
      "a", {}, [] { return Result<PictureFile>(fail(ErrorCode::NotFound, "gone")); }};
  const auto answers = fixture.run({broken, task("b")}, 1, [&](int turn) {
    if (turn == 3) {
      fixture.answer(0);
    }
    return turn > 20;
  });
  EXPECT_EQ(answers[0].end, ClientEnd::Unreadable);
  EXPECT_EQ(answers[1].end, ClientEnd::Answered);
  EXPECT_EQ(fixture.sent.size(), 1U);
}

TEST(Client, Connecting_EndsWhenItIsStopped) {
  Fixture fixture;  // whose transport never connects, and whose clock stands still
  int asked = 0;
  fixture.client.stop_when([&] { return ++asked > 3; });
  const Result<void> connected = fixture.client.connect(seconds(10));
  ASSERT_FALSE(connected.has_value());
  EXPECT_NE(connected.error().message.find("stopped"), std::string::npos);
}

TEST(Client, Asking_EndsWhenItIsStopped) {
  Fixture fixture;
  fixture.transport.connect(0);
  int asked = 0;
  fixture.client.stop_when([&] { return ++asked > 5; });
  const auto answer = fixture.client.ask("devices", "", seconds(10));
  ASSERT_FALSE(answer.has_value());
  EXPECT_NE(answer.error().message.find("stopped"), std::string::npos);
}

}  // namespace
}  // namespace juggler
