// Frames keep their order; bandwidth, loss and cuts are delays.

#include "sim/network.h"

#include <gtest/gtest.h>

#include <vector>

namespace juggler {
namespace {

using sim::Agenda;
using sim::Frame;
using sim::Pipe;
using sim::PipeProfile;

class Sink final : public sim::FrameSink {
 public:
  explicit Sink(Agenda& agenda) : agenda_(agenda) {}
  void receive(Frame frame) override {
    numbers.push_back(frame.number);
    last = agenda_.now();
  }
  void received_all() override {}

  std::vector<std::uint64_t> numbers;
  Time last;

 private:
  Agenda& agenda_;
};

Frame frame(std::uint64_t number, std::uint32_t size = 100) {
  Frame made;
  made.number = number;
  made.size = size;
  return made;
}

TEST(Pipe, Jitter_NeverChangesTheOrder) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(10), .jitter = milliseconds(8)}, 1);
  pipe.connect(sink);
  std::vector<std::uint64_t> sent;
  for (std::uint64_t i = 0; i < 200; ++i) {
    pipe.send(frame(i));
    sent.push_back(i);
    agenda.run_until(agenda.now() + milliseconds(1));
  }
  agenda.run_until(agenda.now() + seconds(1));
  EXPECT_EQ(sink.numbers, sent);
}

TEST(Pipe, Bandwidth_QueuesBytes) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(5), .jitter = {}, .bits_per_second = 8'000'000}, 1);
  pipe.connect(sink);
  pipe.send(frame(1, 100'000));  // 100 ms on the wire
  pipe.send(frame(2, 100'000));
  agenda.run_until(Time{seconds(1).count});
  EXPECT_EQ(sink.last, Time{milliseconds(205).count});
}

TEST(Pipe, Loss_IsARetransmission) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(5), .jitter = {}, .loss_per_million = 1'000'000}, 1);
  pipe.connect(sink);
  pipe.send(frame(1));
  agenda.run_until(Time{seconds(1).count});
  EXPECT_EQ(sink.last, Time{milliseconds(215).count});
}

// Both of its packets: each is seen missing after three round trips.
TEST(Pipe, LossAtTheEndOfAFrame_IsProbedFor) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(5), .jitter = {}, .loss_per_million = 1'000'000}, 1);
  pipe.connect(sink);
  pipe.send(frame(1, 2'000));
  agenda.run_until(Time{seconds(1).count});
  EXPECT_EQ(sink.last, Time{milliseconds(65).count});
}

TEST(Pipe, Cut_HoldsBackUntilItIsRestored) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(5), .jitter = {}}, 1);
  pipe.connect(sink);
  pipe.send(frame(1));
  pipe.cut();
  pipe.send(frame(2));
  agenda.run_until(Time{seconds(3).count});
  EXPECT_TRUE(sink.numbers.empty());
  pipe.restore();
  agenda.run_until(Time{seconds(4).count});
  EXPECT_EQ(sink.numbers, (std::vector<std::uint64_t>{1, 2}));
}

// A process that dies takes with it only what it sent last; the good-bye of the one before it on
// the same machine stays under way, or the broker would keep that one's deliveries for good.
TEST(Pipe, LoseTail_LeavesWhatAnEarlierConnectionSent) {
  Agenda agenda;
  Sink sink(agenda);
  Pipe pipe(agenda, {.latency = milliseconds(5), .jitter = {}}, 1);
  pipe.connect(sink);
  pipe.cut();
  for (std::uint64_t number = 1; number <= 5; ++number) {
    Frame sent = frame(number);
    sent.connection = number <= 2 ? 1 : 2;
    pipe.send(std::move(sent));
  }
  pipe.lose_tail(2, 1);
  pipe.lose_tail(2);
  pipe.restore();
  agenda.run_until(Time{seconds(1).count});
  EXPECT_EQ(sink.numbers, (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace juggler
