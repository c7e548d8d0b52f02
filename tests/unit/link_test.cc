// What results teach about the way to a device.

#include "core/link.h"

#include <gtest/gtest.h>

#include <deque>

#include "core/rng.h"
#include "support/controller_harness.h"

namespace juggler {
namespace {

struct Way {
  Micros each;        // a message of 10 kB on the link
  Micros round_trip;  // both ways, beside that
  Micros jitter{};    // of that, at most, either way
  int lost = 0;       // one in so many waits for a retransmission
};

// Sends batches of messages of 10 kB over a link, FIFO, and tells of the results in their order.
class Traffic {
 public:
  Traffic(LinkLearning& link, const Way& way) : link_(link), way_(way) {}

  void batches(int count, int messages, Micros apart) {
    for (int i = 0; i < count; ++i) {
      for (int m = 0; m < messages; ++m) {
        send();
      }
      tell_until(now_ + apart);
      now_ = now_ + apart;
    }
    tell_until(Time::never());
  }
  // As a controller would: one batch after the other, when the link is to have more.
  void as_much_as_it_takes(Micros time) {
    const Time end = now_ + time;
    while (now_ < end) {
      send();
      now_ = std::max(now_ + milliseconds(1), link_.believed().next_at);
      tell_until(now_);
    }
    tell_until(Time::never());
  }
  void way(const Way& way) { way_ = way; }
  Time now() const { return now_; }

 private:
  struct Sent {
    Time sent;
    Time back;
    LinkDelays delays;
  };
  void send() {
    through_ = std::max(through_, now_) + way_.each;
    Micros takes = way_.round_trip;
    if (way_.jitter > Micros{0}) {
      takes = takes - way_.jitter + Micros{draw(way_.jitter.count * 2)};
    }
    if (way_.lost > 0 && draw(way_.lost) == 0) {
      takes = takes + milliseconds(200);
    }
    back_ = std::max(back_, through_ + takes);
    sent_.push_back({now_, back_, link_.send(Bytes{10'000}, now_)});
  }
  std::int64_t draw(std::int64_t below) {
    return static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(below)));
  }
  void tell_until(Time time) {
    while (!sent_.empty() && sent_.front().back <= time) {
      const Sent& first = sent_.front();
      link_.add(first.back - first.sent, first.delays, first.back);
      now_ = std::max(now_, time == Time::never() ? first.back : now_);
      sent_.pop_front();
    }
  }

  LinkLearning& link_;
  Way way_;
  Rng rng_{1};
  Time now_ = Time{} + seconds(1);
  Time through_;
  Time back_;
  std::deque<Sent> sent_;
};

double ms(Micros time) { return static_cast<double>(time.count) / 1000.0; }

TEST(Link, NothingKnown_IsTheAssumption) {
  const Link link = LinkLearning().believed();
  EXPECT_EQ(link.round_trip, kNetworkDefault);
  EXPECT_EQ(link.pace.transfer(1'000'000), Micros{0});
}

TEST(Link, NarrowLink_IsToldFromALongWay) {
  LinkLearning narrow;
  LinkLearning far;
  Traffic(narrow, {milliseconds(16), milliseconds(20)}).batches(20, 4, seconds(2));
  Traffic(far, {Micros{80}, milliseconds(60)}).batches(20, 4, seconds(2));
  EXPECT_NEAR(ms(narrow.believed().pace.transfer(10'000)), 16, 1.6);
  EXPECT_NEAR(ms(narrow.believed().round_trip), 20, 3);
  EXPECT_LT(ms(far.believed().pace.transfer(10'000)), 1);
  EXPECT_NEAR(ms(far.believed().round_trip), 60, 1);
}

// Wi-Fi that is far from steady: 30 Mbit/s, 20 ms and anything up to 20 more or less, and one
// message in 200 waits for a retransmission.
TEST(Link, BusyLinkThatJittersAndLoses_IsUsedButNotFlooded) {
  LinkLearning link;
  Traffic traffic(link, {Micros{2'700}, milliseconds(20), milliseconds(20), 200});
  traffic.batches(10, 1, milliseconds(20));
  const Time begun = traffic.now();
  traffic.as_much_as_it_takes(seconds(20));
  EXPECT_GT(ms(link.believed().pace.transfer(10'000)), 2.4);
  EXPECT_LT(ms(link.believed().pace.transfer(10'000)), 4.0);
  EXPECT_LT(ms(link.believed().round_trip), 120);
  EXPECT_LT(traffic.now() - begun, milliseconds(20'500));  // what was sent is through soon after
}

// It was believed to be ten times slower.
TEST(Link, LinkGetsFaster_IsFound) {
  LinkLearning link;
  Traffic traffic(link, {milliseconds(20), milliseconds(20), milliseconds(4)});
  traffic.as_much_as_it_takes(seconds(10));
  EXPECT_NEAR(ms(link.believed().pace.transfer(10'000)), 20, 2);
  traffic.way({milliseconds(2), milliseconds(20), milliseconds(4)});
  traffic.as_much_as_it_takes(seconds(20));
  EXPECT_LT(ms(link.believed().pace.transfer(10'000)), 3);
}

TEST(Link, WhatWasSent_IsOnTheWayUntilItIsThrough) {
  LinkLearning link;
  Traffic(link, {milliseconds(10), milliseconds(20)}).batches(4, 4, seconds(2));
  const Time later = Time{} + seconds(20);
  const double each = ms(link.believed().pace.transfer(10'000));
  EXPECT_EQ(link.believed().busy(later), Micros{0});
  link.send(Bytes{20'000}, later);
  EXPECT_NEAR(ms(link.believed().busy(later)), each * 2, 0.01);
  EXPECT_NEAR(ms(link.believed().busy(later + milliseconds(5))), each * 2 - 5, 0.01);
  EXPECT_EQ(link.believed().busy(later + milliseconds(50)), Micros{0});
}

TEST(Link, SingleMessages_SayNothingOfTheBytes) {
  LinkLearning link;
  Traffic(link, {milliseconds(16), milliseconds(20)}).batches(20, 1, seconds(2));
  EXPECT_EQ(link.believed().pace.transfer(10'000), Micros{0});
  EXPECT_NEAR(ms(link.believed().round_trip), 36, 0.5);
}

TEST(Link, OneLostPacket_SaysLittle_ButALongerWayIsFollowed) {
  LinkLearning link;
  Traffic traffic(link, {Micros{0}, milliseconds(20), milliseconds(1)});
  traffic.batches(40, 1, seconds(1));
  traffic.way({Micros{0}, milliseconds(250)});
  traffic.batches(1, 1, seconds(1));
  EXPECT_LT(link.believed().round_trip, milliseconds(22));
  traffic.way({Micros{0}, milliseconds(80), milliseconds(1)});
  traffic.batches(60, 1, seconds(1));
  EXPECT_NEAR(ms(link.believed().round_trip), 80, 2);
}

// Fifty results that one packet held up are one event.
TEST(Link, WhatIsHeldUpTogether_CountsOnce) {
  LinkLearning link;
  Traffic traffic(link, {Micros{0}, milliseconds(20), milliseconds(5)});
  traffic.batches(200, 1, milliseconds(10));
  traffic.way({Micros{0}, milliseconds(220)});
  traffic.batches(1, 50, milliseconds(1));
  EXPECT_LT(link.believed().round_trip, milliseconds(60));
}

TEST(Link, AbsurdFigures_AreBounded) {
  LinkLearning link;
  for (int i = 0; i < 200; ++i) {
    const Time now = Time{} + seconds(i);
    link.add(Micros{std::int64_t{1} << 60}, link.send(Bytes{1}, now), now);
    link.add(Micros{-5}, link.send(Bytes{std::int64_t{1} << 40}, now), now);
  }
  EXPECT_LE(link.believed().round_trip, seconds(60));
  EXPECT_GE(link.believed().round_trip, Micros{0});
  EXPECT_GE(link.believed().pace.transfer(1'000'000), Micros{0});
  EXPECT_LE(link.believed().busy(Time{} + seconds(199)), seconds(60));
}

TEST(Link, NothingConfirmsIt_GoesBackToWhatTheWayTakes) {
  LinkLearning link;
  Traffic traffic(link, {Micros{0}, milliseconds(20), milliseconds(2)});
  traffic.batches(200, 1, milliseconds(10));
  traffic.way({Micros{0}, milliseconds(400)});
  traffic.batches(20, 1, milliseconds(200));
  EXPECT_GT(link.believed().round_trip, milliseconds(100));
  const Time later = traffic.now() + seconds(2);
  for (int i = 0; i < 200; ++i) {
    link.fade(later);
  }
  EXPECT_LT(link.believed().round_trip, milliseconds(150));
  EXPECT_FALSE(link.fades(later));
  EXPECT_FALSE(LinkLearning().fades(later));
}

// 40 pictures of 10 kB over a link that takes 20 ms for each: the controller must not promise what
// the link cannot carry.
TEST(Link, LineBehindANarrowLink_IsAsLongAsItsPictures) {
  Timeline timeline;
  const DeviceFacts facts =
      test::device("d").serves(test::variant("n-fp32"), milliseconds(1), test::energy_mj(1));
  const LaneCosts costs = costs_of(facts, facts.processors[0]);
  const LaneLearned learned(1);
  Line line;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    OpenBatch batch;
    batch.id = i;
    batch.tasks = 1;
    batch.bytes = 10'000;
    batch.due = Time{} + seconds(1);
    line.push_back(batch);
  }
  timeline.build(line, costs, learned, Timeline::Size::AsItIs,
                 {.free_at = {},
                  .variance_us2 = 0,
                  .pace = {.ns_per_byte = 2'000},
                  .link_free_at = {}},
                 0);
  const Timeline::Fit fifth = timeline.insert(0, Time{} + seconds(2), costs[0].of(1), 10'000);
  EXPECT_EQ(fifth.end, Time{} + milliseconds(101));
}

// Four pictures of 10 kB, sent together, of which each arrived 20 ms after the one before.
TEST(Link, ControllerLearnsItFromABatch_AndPromisesOnlyWhatItCarries) {
  ControllerConfig config;
  config.hedges = false;
  test::ControllerHarness harness(config);
  harness.lead_with({test::device("d").window(1).batch_max(4).serves(
      test::variant("n-fp32"), milliseconds(10), test::energy_mj(1))});
  const auto picture = [](int number, Micros deadline) {
    return test::submission("t" + std::to_string(number))
        .payload(PayloadKind::Jpeg, Bytes{number == 0 ? 100 : 10'000})
        .deadline(deadline);
  };
  harness.submit(picture(0, seconds(2)));
  for (int i = 1; i <= 4; ++i) {
    harness.submit(picture(i, seconds(2)));
  }
  harness.advance(milliseconds(5));
  const Dispatch first = harness.last_dispatch();
  harness.clear();
  harness.result(test::result_of(first));
  const std::vector<Dispatch> batch = harness.dispatches();
  ASSERT_EQ(batch.size(), 4U);
  harness.advance(milliseconds(90));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    AttemptResult result = test::result_of(batch[i]);
    result.compute = milliseconds(10);
    result.queued = milliseconds(60) - milliseconds(20) * static_cast<std::int64_t>(i);
    harness.result(result);
  }
  EXPECT_EQ(harness.controller().fleet().devices()[0].link.believed().pace.transfer(10'000),
            Micros{20'480});  // the nearest that is told apart
  harness.clear();
  for (int i = 0; i < 20; ++i) {
    harness.submit(picture(1000 + i, milliseconds(250)));
  }
  const std::size_t refused = harness.outcomes().size();
  EXPECT_GE(refused, 8U);  // at most twelve fit through it in 250 ms
  EXPECT_LT(refused, 20U);
}

}  // namespace
}  // namespace juggler
