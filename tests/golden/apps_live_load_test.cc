// The load of a live run over a transport that the test plays: open loop, counted from the
// schedule, nothing lost without a word.

#include <gtest/gtest.h>

#include <algorithm>

#include "apps/live_load.h"
#include "support/builders.h"
#include "wire/messages.h"

namespace juggler {
namespace {

// Time passes only while somebody waits; each publish is confirmed, and answered when the test
// says.
class PlayedTransport final : public Transport, public Clock {
 public:
  struct Sent {
    Time at;
    std::string id;
  };

  Time now() override { return now_; }
  std::int64_t unix_seconds() override { return 0; }

  void publish(PublishId id, wire::Envelope message) override {
    now_ = now_ + publish_takes;
    sent.push_back({now_, message.message_id});
    events_.emplace_back(now_, TransportSettled{id, settles_as});
    if (answers) {
      answer(message.message_id, answer_after);
    }
  }
  void answer(const std::string& task, Micros after, const std::string& device = "d") {
    Outcome outcome;
    outcome.key.id = task;
    outcome.kind = OutcomeKind::Completed;
    outcome.device = device;
    outcome.processor = "cpu0";
    outcome.variant = "n-fp32";
    outcome.energy = test::energy_mj(5.0);
    TransportDelivery delivery;
    delivery.envelope = wire::encode_outcome(outcome, "replies", task);
    events_.emplace_back(now_ + after, std::move(delivery));
  }
  void at(Time when, TransportEvent event) { events_.emplace_back(when, std::move(event)); }

  void poll(Micros wait_max, std::vector<TransportEvent>& events) override {
    const Time until = now_ + wait_max;
    const auto sooner = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(events_.begin(), events_.end(), sooner);
    const Time first = events_.empty() ? Time::never() : events_.front().first;
    now_ = std::max(now_, std::min(until, first));
    while (!events_.empty() && events_.front().first <= now_) {
      events.push_back(std::move(events_.front().second));
      events_.erase(events_.begin());
    }
  }
  void ack(DeliveryId) override {}
  void reject(DeliveryId, bool) override {}
  void enrol(const std::string&) override {}
  void ask_presence(const std::string&) override {}
  void wake() override {}
  void close(Micros) override {}

  std::vector<Sent> sent;
  bool answers = true;
  Micros answer_after = milliseconds(700);
  Micros publish_takes{0};
  PublishEnd settles_as = PublishEnd::Confirmed;

 private:
  Time now_{1'000'000};
  std::vector<std::pair<Time, TransportEvent>> events_;
};

struct Fixture {
  // Tasks every 100 ms, with a deadline of 600 ms.
  explicit Fixture(std::size_t tasks = 5) {
    for (std::size_t i = 0; i < tasks; ++i) {
      arrivals.push_back({Time{static_cast<std::int64_t>(i) * 100'000}, 0, i});
    }
    transport.at(Time{1'000'000}, TransportConnected{.incarnation = 1, .reply_queue = "replies"});
  }
  sim::RunResult run() {
    LiveLoadOptions options;
    options.prefix = "bench-1-";
    options.answer_wait_max = seconds(5);
    load.emplace(transport, transport,
                 std::vector<LiveDemand>{{{}, PayloadKind::Jpeg, wire::make_body("picture")}},
                 arrivals, options);
    EXPECT_TRUE(load->connect(seconds(1)).has_value());
    const DeviceFacts facts =
        test::DeviceBuilder("d").serves(test::variant("n-fp32"), milliseconds(1)).build();
    const Time origin = transport.now();
    sim::Metrics metrics({{"any", milliseconds(600), std::nullopt}}, {&facts}, origin, Micros{0});
    load->run(metrics, origin);
    sim::RunResult result;
    metrics.write(result, origin + seconds(1));
    return result;
  }

  PlayedTransport transport;
  std::vector<Arrival> arrivals;
  std::optional<LiveLoad> load;
};

TEST(LiveLoad, Arrivals_GoOutWhenDueWhateverIsOpen) {
  Fixture fixture;
  const sim::RunResult result = fixture.run();
  ASSERT_EQ(fixture.transport.sent.size(), 5U);  // the first answer comes after the last arrival
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(fixture.transport.sent[i].at,
              (Time{1'000'000 + static_cast<std::int64_t>(i) * 100'000}));
  }
  EXPECT_EQ(result.offered, 5U);
  EXPECT_EQ(result.completed, 5U);
  EXPECT_EQ(result.on_time, 0U);  // 700 ms, where 600 are allowed
  EXPECT_EQ(result.latency.p50, milliseconds(700));
  EXPECT_EQ(result.energy_completed.count, 25'000);
  EXPECT_TRUE(fixture.load->complaints().empty());
  EXPECT_TRUE(fixture.load->sender().kept_up());
}

TEST(LiveLoad, SenderThatIsLate_CountsInTheLatencyAndIsReported) {
  Fixture fixture;
  fixture.transport.publish_takes = milliseconds(150);  // a task every 100 ms cannot be sent
  fixture.transport.answer_after = milliseconds(10);
  const sim::RunResult result = fixture.run();
  EXPECT_GE(result.latency.max, milliseconds(10 + 200));  // from when it was due
  EXPECT_FALSE(fixture.load->sender().kept_up());
  EXPECT_EQ(fixture.load->sender().late, 4U);
}

TEST(LiveLoad, TaskThatNobodyAnswers_IsLost) {
  Fixture fixture;
  fixture.transport.answers = false;
  const sim::RunResult result = fixture.run();
  EXPECT_EQ(result.lost, 5U);
  EXPECT_EQ(result.completed, 0U);
}

TEST(LiveLoad, TaskThatTheBrokerReturns_IsTurnedAwayNotLost) {
  Fixture fixture;
  fixture.transport.answers = false;
  fixture.transport.settles_as = PublishEnd::Returned;
  const sim::RunResult result = fixture.run();
  EXPECT_EQ(result.turned_away, 5U);
  EXPECT_EQ(result.lost, 0U);
}

TEST(LiveLoad, SecondOutcomeOfATask_IsCounted) {
  Fixture fixture(1);
  fixture.transport.at(Time{1'050'000}, TransportBlocked{});  // something happens in between
  fixture.transport.answer("bench-1-0", milliseconds(750));
  const sim::RunResult result = fixture.run();
  EXPECT_EQ(result.completed, 1U);
  EXPECT_EQ(result.duplicated, 1U);
}

TEST(LiveLoad, LostConnection_SendsWhatIsOpenAgain) {
  Fixture fixture(1);
  fixture.transport.answers = false;
  fixture.transport.at(Time{1'100'000}, TransportDisconnected{"cut"});
  fixture.transport.at(Time{1'200'000}, TransportConnected{.incarnation = 2, .reply_queue = "r2"});
  const sim::RunResult result = fixture.run();
  ASSERT_EQ(fixture.transport.sent.size(), 2U);
  EXPECT_EQ(fixture.transport.sent[0].id, fixture.transport.sent[1].id);
  EXPECT_EQ(fixture.load->sender().sent_again, 1U);
  EXPECT_EQ(result.lost, 1U);
}

TEST(LiveLoad, OutcomeOfAnUnknownDevice_IsAComplaint) {
  Fixture fixture(1);
  fixture.transport.answers = false;
  fixture.transport.answer("bench-1-0", milliseconds(100), "newcomer");
  fixture.run();
  ASSERT_EQ(fixture.load->complaints().size(), 1U);
  EXPECT_NE(fixture.load->complaints()[0].find("newcomer"), std::string::npos);
}

}  // namespace
}  // namespace juggler
