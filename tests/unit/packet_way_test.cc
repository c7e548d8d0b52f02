// One direction of a bad network of packets, without interfaces: order, latency, rate, loss,
// holding.

#include "faults/packet_way.h"

#include <gtest/gtest.h>

namespace juggler {
namespace {

// How many come out at `now`, in which order; packets are one digit each.
std::string taken(PacketWay& way, Time now) {
  std::string all;
  for (std::string packet = way.take(now); !packet.empty(); packet = way.take(now)) {
    all += packet;
  }
  return all;
}

TEST(PacketWay, LatencyAndJitter_KeepTheOrder) {
  PacketWay way(1);
  way.set({.latency = milliseconds(10), .jitter = milliseconds(50)});
  std::string sent;
  for (int packet = 0; packet < 100; ++packet) {
    sent += static_cast<char>('0' + packet % 10);
    way.put(Time{packet}, sent.substr(sent.size() - 1));
  }
  EXPECT_EQ(taken(way, Time{9'999}), "");
  EXPECT_GT(way.next(), Time{9'999});
  EXPECT_EQ(taken(way, Time{70'000}), sent);
  EXPECT_EQ(way.next(), Time::never());
}

TEST(PacketWay, Rate_AddsUp) {
  PacketWay way(1);
  way.set({.bits_per_second = 8'000});  // a byte in 1 ms
  way.put(Time{0}, "a");
  way.put(Time{0}, "b");
  EXPECT_EQ(taken(way, Time{1'000}), "a");
  EXPECT_EQ(taken(way, Time{2'000}), "b");
}

TEST(PacketWay, Loss_LosesThatShare) {
  PacketWay way(1);
  way.set({.loss_per_million = 300'000});
  std::size_t passed = 0;
  for (int packet = 0; packet < 10'000; ++packet) {
    way.put(Time{packet}, "a");
    passed += taken(way, Time{packet}).size();
  }
  EXPECT_NEAR(static_cast<double>(passed), 7'000, 200);  // more than four standard deviations (46)
}

TEST(PacketWay, Held_LosesWhatIsOnItsWayAndWhatComes) {
  PacketWay way(1);
  way.set({.latency = milliseconds(10)});
  way.put(Time{0}, "a");
  way.hold();
  way.put(Time{0}, "b");
  way.release();
  way.put(Time{5}, "c");
  EXPECT_EQ(taken(way, Time{20'000}), "c");
}

TEST(PacketWay, FullQueue_LosesWhatComes) {
  PacketWay way(1);
  way.set({.latency = milliseconds(10)});
  for (std::size_t packet = 0; packet < PacketWay::kPacketsMax + 5; ++packet) {
    way.put(Time{0}, "a");
  }
  EXPECT_EQ(taken(way, Time{20'000}).size(), PacketWay::kPacketsMax);
}

}  // namespace
}  // namespace juggler
