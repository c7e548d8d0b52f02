// The loop around the consumer, over a loopback transport: dispatches in, batches, results out.

#include "runtime/consumer_shell.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "runtime/loopback.h"
#include "runtime/thread_executor.h"
#include "support/consumer_harness.h"
#include "support/runtime_fakes.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using wire::Envelope;

constexpr const char* kQueue = "juggler.device.pi-1";

DeviceFacts facts() {
  return test::device("pi-1").serves(test::variant("n-fp32"), milliseconds(50));
}

class ConsumerShellTest : public ::testing::Test {
 protected:
  ConsumerShellTest() {
    transport_.connect(0);
    turn();
    published_.clear();
  }
  void turn() {
    for (int i = 0; i < 3; ++i) {
      shell_.turn(Micros{0});
      for (Envelope& envelope : transport_.take_published()) {
        published_.push_back(std::move(envelope));
      }
    }
  }
  void dispatch(const std::string& id, const std::string& bytes, bool redelivered = false) {
    transport_.deliver(
        kQueue, wire::encode_dispatch(test::dispatch_for(facts(), id), wire::make_body(bytes)),
        redelivered);
    turn();
  }
  std::vector<AttemptResult> results() const {
    std::vector<AttemptResult> found;
    for (const Envelope& envelope : published_) {
      if (const auto result = wire::decode_result(envelope)) {
        found.push_back(*result);
      }
    }
    return found;
  }

  LoopbackTransport transport_;
  test::ManualClock clock_;
  test::HeldExecutor executor_;
  Consumer consumer_{ConsumerConfig{}, facts()};
  ConsumerShell shell_{consumer_, transport_, executor_, clock_, {}};
  std::vector<Envelope> published_;
};

TEST_F(ConsumerShellTest, Dispatch_RunsItsBytesAndSendsTheResult) {
  dispatch("t", "the picture");
  ASSERT_EQ(executor_.jobs.size(), 1U);
  EXPECT_EQ(*executor_.jobs[0].inputs[0].bytes, "the picture");
  executor_.run_all();
  turn();
  ASSERT_EQ(results().size(), 1U);
  EXPECT_EQ(results()[0].labels[0].name, "the picture");
  EXPECT_EQ(transport_.take_acked().size(), 1U);
}

TEST_F(ConsumerShellTest, WaitingTask_KeepsItsBytes) {
  dispatch("a", "first");
  dispatch("b", "second");
  executor_.run_all();
  turn();
  ASSERT_EQ(executor_.jobs.size(), 1U);
  EXPECT_EQ(*executor_.jobs[0].inputs[0].bytes, "second");
}

TEST_F(ConsumerShellTest, RedeliveryAcrossACut_KeepsTheFirstBytesAndRunsOnce) {
  dispatch("a", "first");
  dispatch("b", "second");
  transport_.disconnect("cut");
  turn();
  transport_.connect(0);
  turn();
  dispatch("b", "second", true);
  executor_.run_all();
  turn();
  executor_.run_all();
  turn();
  EXPECT_EQ(results().size(), 2U);
  EXPECT_TRUE(executor_.jobs.empty());
}

TEST_F(ConsumerShellTest, MalformedDispatch_IsDeadLettered) {
  Envelope junk;
  junk.routing_key = "pi-1";
  junk.body = wire::make_body("junk");
  transport_.deliver(kQueue, junk);
  turn();
  EXPECT_EQ(transport_.take_rejected().size(), 1U);
  EXPECT_EQ(shell_.malformed(), 1U);
}

TEST_F(ConsumerShellTest, ControlMessages_AreObeyedAndJunkIsDeadLettered) {
  const std::string control = std::string(kQueue) + ".control";
  transport_.deliver(control, wire::encode_control("pi-1", {.kind = wire::ControlKind::Hello}));
  turn();
  EXPECT_EQ(published_.front().type, "juggler.hello.v1");
  Envelope junk;
  junk.type = "juggler.control.v1";
  junk.body = wire::make_body("[]");
  transport_.deliver(control, junk);
  turn();
  EXPECT_EQ(transport_.take_rejected().size(), 1U);
  transport_.deliver(control, wire::encode_control("pi-1", {.kind = wire::ControlKind::Drain}));
  turn();
  EXPECT_TRUE(shell_.left());
}

TEST_F(ConsumerShellTest, Heartbeats_ComeWithTime) {
  clock_.advance(seconds(1));
  turn();
  ASSERT_FALSE(published_.empty());
  EXPECT_EQ(published_.back().type, "juggler.heartbeat.v1");
  EXPECT_EQ(published_.back().user_id, "pi-1") << "the controller takes nothing without";
}

// With real threads: no sleep, the executor wakes the transport's poll.
TEST(ConsumerShellThreads, BatchesRunBesideTheOwnersThread) {
  LoopbackTransport transport;
  SystemClock clock;
  std::map<std::string, std::unique_ptr<InferenceEngine>> engines;
  engines.emplace("cpu0", std::make_unique<test::EchoEngine>());
  ThreadExecutor executor(std::move(engines), [&transport] { transport.wake(); });
  Consumer consumer(ConsumerConfig{}, facts());
  ConsumerShell shell(consumer, transport, executor, clock, {});
  transport.connect(0);
  for (int i = 0; i < 20; ++i) {
    transport.deliver(kQueue,
                      wire::encode_dispatch(test::dispatch_for(facts(), "t" + std::to_string(i)),
                                            wire::make_body("bytes " + std::to_string(i))));
  }
  for (int turns = 0; consumer.stats().completed < 20 && turns < 10'000; ++turns) {
    shell.turn(milliseconds(100));
  }
  shell.turn(Micros{0});
  EXPECT_EQ(consumer.stats().completed, 20U);
  EXPECT_EQ(transport.take_acked().size(), 20U);
}

}  // namespace
}  // namespace juggler
