// One direction of a bad network, without sockets: order, latency, rate, loss, holding.

#include "faults/way.h"

#include <gtest/gtest.h>

namespace juggler {
namespace {

// What comes out at `now`, all of it.
std::string taken(Way& way, Time now) {
  std::string all;
  while (!way.due(now).empty()) {
    const std::string_view bytes = way.due(now);
    all += bytes;
    way.take(bytes.size());
  }
  return all;
}

TEST(Way, Nothing_PassesAtOnce) {
  Way way(1);
  way.put(Time{5}, "abc");
  EXPECT_EQ(way.next(), Time{5});
  EXPECT_EQ(taken(way, Time{5}), "abc");
  EXPECT_EQ(way.next(), Time::never());
}

TEST(Way, Latency_HoldsForThatLong) {
  Way way(1);
  way.set({.latency = milliseconds(500), .jitter = {}});
  way.put(Time{0}, "abc");
  EXPECT_EQ(taken(way, Time{499'999}), "");
  EXPECT_EQ(taken(way, Time{500'000}), "abc");
}

TEST(Way, Rate_AddsUp) {
  Way way(1);
  way.set({.latency = {}, .jitter = {}, .bits_per_second = 8'000});  // a byte in 1 ms
  way.put(Time{0}, std::string(10, 'a'));
  way.put(Time{0}, std::string(10, 'b'));
  EXPECT_EQ(taken(way, Time{10'000}), std::string(10, 'a'));
  EXPECT_EQ(taken(way, Time{19'999}), "");
  EXPECT_EQ(taken(way, Time{20'000}), std::string(10, 'b'));
}

TEST(Way, JitterAndLoss_DelayButKeepOrderAndEverything) {
  Way way(7);
  way.set({.latency = milliseconds(10),
           .jitter = milliseconds(30),
           .bits_per_second = 0,
           .loss_per_million = 300'000});
  std::string sent;
  for (int i = 0; i < 500; ++i) {
    const std::string bytes(1, static_cast<char>('a' + i % 26));
    way.put(Time{i * 1000}, bytes);
    sent += bytes;
  }
  EXPECT_LT(taken(way, Time{250'000}).size(), 240U) << "a third of all packets was lost";
  EXPECT_LE(way.next(), Time{500'000} + seconds(30));
  Way again(7);  // the same seed, the same delays
  again.set({.latency = milliseconds(10),
             .jitter = milliseconds(30),
             .bits_per_second = 0,
             .loss_per_million = 300'000});
  std::string all;
  for (int i = 0; i < 500; ++i) {
    again.put(Time{i * 1000}, std::string(1, static_cast<char>('a' + i % 26)));
  }
  all = taken(again, Time{0} + seconds(3600));
  EXPECT_EQ(all, sent);
}

TEST(Way, LostAgainAndAgain_WaitsLongerButNotForEver) {
  Way way(3);
  way.set({.latency = milliseconds(10),
           .jitter = {},
           .bits_per_second = 0,
           .loss_per_million = 1'000'000});
  way.put(Time{0}, "x");
  EXPECT_GE(way.next(), Time{0} + seconds(10));
  EXPECT_LE(way.next(), Time{0} + seconds(20));
}

TEST(Way, Held_NothingComesOutUntilItIsReleased) {
  Way way(1);
  way.set({.latency = milliseconds(10), .jitter = {}});
  way.put(Time{0}, "a");
  way.hold();
  way.put(Time{1000}, "b");
  EXPECT_EQ(way.next(), Time::never());
  EXPECT_EQ(taken(way, Time{0} + seconds(60)), "");
  way.release(Time{0} + seconds(60));
  EXPECT_EQ(taken(way, Time{0} + seconds(60)), "");
  EXPECT_EQ(taken(way, Time{0} + seconds(60) + milliseconds(10)), "ab");
}

TEST(Way, Full_TakesNoMoreUntilSomeIsGone) {
  Way way(1);
  way.put(Time{0}, std::string(Way::kBytesMax, 'x'));
  EXPECT_TRUE(way.full());
  way.take(way.due(Time{0}).size());
  EXPECT_FALSE(way.full());
  EXPECT_TRUE(way.empty());
}

}  // namespace
}  // namespace juggler
