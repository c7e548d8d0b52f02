// What results teach about the way to a device.

#include "core/link.h"

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

// A batch of messages of 10 kB each over a link that takes this long per message, and this long
// both ways beside it.
void batch_over(Link& link, Time sent, int messages, Micros each, Micros round_trip) {
  for (int i = 1; i <= messages; ++i) {
    link.add(round_trip + each * i, sent, link.send(Bytes{10'000}, sent), sent + seconds(1));
  }
}

TEST(Link, NothingKnown_IsTheAssumption) {
  const Link link;
  EXPECT_EQ(link.round_trip(), kNetworkDefault);
  EXPECT_EQ(link.transfer(1'000'000), Micros{0});
}

TEST(Link, NarrowLink_IsToldFromALongWay) {
  Link narrow;
  Link far;
  for (int i = 0; i < 20; ++i) {
    batch_over(narrow, Time{} + seconds(2) * i, 4, milliseconds(16), milliseconds(20));
    batch_over(far, Time{} + seconds(2) * i, 4, Micros{80}, milliseconds(60));
  }
  EXPECT_EQ(narrow.transfer(10'000), milliseconds(16));
  EXPECT_NEAR(static_cast<double>(narrow.round_trip().count), 20'000, 500);
  EXPECT_EQ(far.transfer(10'000), Micros{0});
  EXPECT_NEAR(static_cast<double>(far.round_trip().count), 60'200, 500);
}

TEST(Link, WhatWasSent_IsOnTheWayUntilItIsThrough) {
  Link link;
  batch_over(link, Time{}, 4, milliseconds(10), milliseconds(20));
  const Time later = Time{} + seconds(10);
  EXPECT_EQ(link.queued(later), 0);
  EXPECT_EQ(link.send(Bytes{20'000}, later), 20'000);
  EXPECT_EQ(link.queued(later + milliseconds(5)), 15'000);
  EXPECT_EQ(link.queued(later + milliseconds(20)), 0);
}

TEST(Link, SingleMessages_SayNothingOfTheBytes) {
  Link link;
  for (int i = 0; i < 20; ++i) {
    batch_over(link, Time{} + seconds(2) * i, 1, milliseconds(16), milliseconds(20));
  }
  EXPECT_EQ(link.transfer(10'000), Micros{0});
  EXPECT_NEAR(static_cast<double>(link.round_trip().count), 36'000, 500);
}

TEST(Link, OneLostPacket_SaysLittle_ButALongerWayIsFollowed) {
  Link link;
  Time now;
  const auto takes = [&](Micros round_trip, int times) {
    for (int i = 0; i < times; ++i, now = now + seconds(1)) {
      batch_over(link, now, 1, Micros{0}, round_trip + milliseconds(i % 2));
    }
  };
  takes(milliseconds(20), 40);
  takes(milliseconds(250), 1);
  EXPECT_LT(link.round_trip(), milliseconds(22));
  takes(milliseconds(80), 40);
  EXPECT_NEAR(static_cast<double>(link.round_trip().count), 80'500, 2'000);
}

TEST(Link, AbsurdFigures_AreBounded) {
  Link link;
  for (int i = 0; i < 20; ++i) {
    link.add(Micros{std::int64_t{1} << 60}, Time{}, link.send(Bytes{1}, Time{}), Time{});
    link.add(Micros{-5}, Time{}, link.send(Bytes{std::int64_t{1} << 40}, Time{}), Time{});
  }
  EXPECT_LE(link.round_trip(), seconds(60));
  EXPECT_GE(link.transfer(1'000'000), Micros{0});
}

TEST(Link, NothingConfirmsIt_ItFades) {
  Link link;
  batch_over(link, Time{}, 4, milliseconds(10), milliseconds(200));
  for (int i = 0; i < 80; ++i) {
    link.fade(Time{} + seconds(60), seconds(10));
  }
  EXPECT_NEAR(static_cast<double>(link.round_trip().count), kNetworkDefault.count, 100);
  EXPECT_EQ(link.transfer(10'000), Micros{0});
}

// 40 pictures of 10 kB over a link that takes 20 ms for each: the controller must not promise what
// the link cannot carry.
TEST(Link, LineBehindANarrowLink_IsAsLongAsItsPictures) {
  Timeline timeline;
  Link link;
  batch_over(link, Time{}, 4, milliseconds(20), milliseconds(4));
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
                 {.free_at = {}, .variance_us2 = 0, .pace = link.pace(), .link_free_at = {}}, 0);
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
        .payload(PayloadKind::Jpeg, Bytes{10'000})
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
  EXPECT_EQ(harness.controller().fleet().devices()[0].link.transfer(10'000), milliseconds(20));
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
