// How soon a device that has died or frozen is known, what a false alarm costs, and how many
// heartbeats that takes.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board(const std::string& id, Micros latency = milliseconds(50)) {
  return device(id).serves(variant("n-fp32"), latency);
}

// As a device that was told to.
void beat_fast(ControllerHarness& harness, const std::string& id) {
  Heartbeat beat;
  beat.every = milliseconds(400);
  harness.heartbeat(id, beat);
}

TEST(Liveness, FrozenDevice_IsSuspectAfterThreeBeatsAndLostWithinTwoSeconds) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  beat_fast(harness, "a");
  harness.advance(milliseconds(1150));
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
  harness.advance(milliseconds(100));
  EXPECT_EQ(harness.liveness("a"), Liveness::Suspect);
  harness.advance(milliseconds(700));
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
}

TEST(Liveness, DeadDevice_IsLostAsSoonAsTheBrokerHasNoConsumerOfIt) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({board("a", seconds(4)), board("b", seconds(5))});
  harness.submit(submission("t").deadline(seconds(60)));
  ASSERT_EQ(harness.last_dispatch().device, "a");
  harness.silence("a");
  beat_fast(harness, "a");
  harness.clear();
  harness.advance(milliseconds(600));
  ASSERT_EQ(harness.all<AskPresence>().size(), 1U);
  EXPECT_EQ(harness.all<AskPresence>()[0].device, "a");
  harness.step(PresenceTold{"a", false});
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
  EXPECT_EQ(harness.controller().stats().found_absent, 1U);
  EXPECT_EQ(harness.last_dispatch().device, "b") << "its task goes elsewhere at once";
}

TEST(Liveness, SilentDeviceWithAConsumer_IsAskedForAtEachBeatUntilItIsLost) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  beat_fast(harness, "a");
  harness.clear();
  for (int i = 0; i < 30; ++i) {
    harness.advance(milliseconds(100));
    harness.step(PresenceTold{"a", true});
  }
  EXPECT_EQ(harness.all<AskPresence>().size(), 4U);  // 0.55, 0.95, 1.35 and 1.75 s
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
  EXPECT_EQ(harness.controller().stats().found_absent, 0U);
}

TEST(Liveness, DeviceThatBeats_IsNeverAskedFor) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.clear();
  harness.advance(seconds(30));
  EXPECT_TRUE(harness.all<AskPresence>().empty());
}

TEST(Liveness, AnswerThatIsOlderThanItsLastHeartbeat_SaysNothing) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  beat_fast(harness, "a");
  harness.advance(milliseconds(600));
  beat_fast(harness, "a");  // it is back, with a new consumer
  harness.step(PresenceTold{"a", false});
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
}

TEST(Liveness, FalseAlarm_IsCountedAndMakesPatient) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  const Micros lost_after[] = {milliseconds(1900), milliseconds(3800), milliseconds(7600),
                               milliseconds(7600)};
  std::uint64_t alarms = 0;
  for (const Micros after : lost_after) {
    beat_fast(harness, "a");
    harness.advance(after - milliseconds(50));
    EXPECT_NE(harness.liveness("a"), Liveness::Lost) << after.count;
    harness.advance(milliseconds(150));
    EXPECT_EQ(harness.liveness("a"), Liveness::Lost) << after.count;
    beat_fast(harness, "a");
    EXPECT_EQ(harness.liveness("a"), Liveness::Live);
    EXPECT_EQ(harness.controller().stats().false_alarms, ++alarms);
  }
}

TEST(Liveness, PatienceWearsOff) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  beat_fast(harness, "a");
  harness.advance(seconds(2));
  for (int i = 0; i < 61; ++i) {
    beat_fast(harness, "a");
    harness.advance(seconds(1));
  }
  beat_fast(harness, "a");
  harness.advance(seconds(2));
  EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
}

TEST(Liveness, DeviceThatWasFrozenForLong_WasNoFalseAlarm) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  beat_fast(harness, "a");
  harness.advance(seconds(10));
  beat_fast(harness, "a");
  EXPECT_EQ(harness.controller().stats().false_alarms, 0U);
}

// Its machine was suspended, or another program had it: the heartbeats lie in the queue.
TEST(Liveness, ControllerThatWasStoppedItself_BlamesNobody) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.clear();
  harness.jump(seconds(20));
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
  harness.submit(submission("t"));
  EXPECT_EQ(harness.dispatches().size(), 1U);
}

TEST(Liveness, WhileTheBrokerTakesNoMessages_NobodyIsAskedForOrLost) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.silence("a");
  harness.step(BrokerBlocked{true});
  harness.clear();
  harness.advance(seconds(20));
  EXPECT_TRUE(harness.all<AskPresence>().empty());
  EXPECT_EQ(harness.liveness("a"), Liveness::Live);
}

TEST(Liveness, SmallFleet_BeatsEach400Ms) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.hello(board("a"));
  harness.heartbeat("a");
  ASSERT_EQ(harness.all<SetHeartbeat>().size(), 1U);
  EXPECT_EQ(harness.all<SetHeartbeat>()[0].every, milliseconds(400));
  // One that cannot be told is not told at every heartbeat.
  harness.advance(seconds(12));
  EXPECT_EQ(harness.all<SetHeartbeat>().size(), 3U);
  harness.clear();
  harness.silence("a");
  for (int i = 0; i < 40; ++i) {
    beat_fast(harness, "a");
    harness.advance(milliseconds(400));
  }
  EXPECT_TRUE(harness.all<SetHeartbeat>().empty());
}

TEST(Liveness, LargeFleet_KeepsWithinItsBudgetOfHeartbeats) {
  ControllerConfig config;
  config.beats_per_second_max = 10;
  ControllerHarness harness(config);
  harness.begin_lead(1);
  for (int i = 0; i < 8; ++i) {
    harness.hello(board("d" + std::to_string(i)));
  }
  harness.clear();
  harness.heartbeat("d0");
  ASSERT_TRUE(harness.all<SetHeartbeat>().empty()) << "8 devices: each 0.8 s, and it says 1 s";
  Heartbeat fast;
  fast.every = milliseconds(400);
  harness.heartbeat("d1", fast);
  ASSERT_EQ(harness.all<SetHeartbeat>().size(), 1U);
  EXPECT_EQ(harness.all<SetHeartbeat>()[0].every, milliseconds(800));
}

// The promise: 2 s in fleets of up to 200. Its last heartbeat may have been just before.
TEST(Liveness, TwoHundredDevices_AFrozenOneIsLostWithin2sAndNobodyElse) {
  ControllerHarness harness;
  harness.begin_lead(1);
  for (int i = 0; i < 200; ++i) {
    harness.hello(board("d" + std::to_string(i)));
    harness.silence("d" + std::to_string(i));
  }
  const auto beat_all_but = [&](int frozen) {
    for (int i = 0; i < 200; ++i) {
      if (i != frozen) {
        beat_fast(harness, "d" + std::to_string(i));
      }
    }
  };
  for (int i = 0; i < 25; ++i) {
    beat_all_but(-1);
    harness.advance(milliseconds(400));
  }
  beat_all_but(-1);
  for (int i = 0; i < 4; ++i) {
    harness.advance(milliseconds(400));
    beat_all_but(117);
  }
  EXPECT_NE(harness.liveness("d117"), Liveness::Lost);
  harness.advance(milliseconds(400));
  EXPECT_EQ(harness.liveness("d117"), Liveness::Lost);
  for (int i = 0; i < 200; ++i) {
    if (i != 117) {
      EXPECT_EQ(harness.liveness("d" + std::to_string(i)), Liveness::Live) << i;
    }
  }
  EXPECT_EQ(harness.controller().stats().false_alarms, 0U);
}

// Nobody consumes its queue, as it says itself: that is no death, and no failure of its.
TEST(Liveness, JoiningDevice_IsNeitherAskedForNorBlamed) {
  ControllerHarness harness;
  harness.begin_lead(1);
  harness.hello(board("b"));
  DeviceFacts joining = board("a");
  joining.serving = false;
  harness.hello(joining);
  harness.silence("a");
  harness.advance(milliseconds(1600));
  EXPECT_TRUE(harness.all<AskPresence>().empty());
  harness.step(PresenceTold{"a", false});
  EXPECT_EQ(harness.liveness("a"), Liveness::Joining);
  for (int i = 0; i < 4; ++i) {
    harness.advance(seconds(6));
    EXPECT_EQ(harness.liveness("a"), Liveness::Lost);
    harness.hello(joining);
    harness.silence("a");
  }
  harness.heartbeat("a");
  EXPECT_EQ(harness.liveness("a"), Liveness::Live) << "four such losses did not put it aside";
}

}  // namespace
}  // namespace juggler
