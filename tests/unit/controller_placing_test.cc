// Which task goes where, and which wait.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts one_slot(const std::string& id = "d", Micros latency = milliseconds(50)) {
  return device(id).window(1).serves(variant("n-fp32"), latency, energy_mj(100));
}

TEST(Controller, Submit_IsDispatchedAtOnceWithEverythingTheDeviceNeeds) {
  ControllerHarness harness;
  harness.lead_with({one_slot()});
  harness.submit(submission("t").deadline(seconds(2)).priority(3).top_k(7));
  const Dispatch dispatch = harness.last_dispatch();
  EXPECT_EQ(dispatch.attempt, (AttemptId{{"reply_to:replies", "t"}, 1, 1}));
  EXPECT_EQ(dispatch.device, "d");
  EXPECT_EQ(dispatch.processor, "cpu0");
  EXPECT_EQ(dispatch.variant, "n-fp32");
  EXPECT_EQ(dispatch.budget, seconds(2));
  EXPECT_EQ(dispatch.priority, 3);
  EXPECT_EQ(dispatch.top_k, 7);
  EXPECT_EQ(dispatch.payload.size, Bytes{1000});
}

TEST(Controller, NoRequirements_TakeTheConfiguredDefaults) {
  ControllerConfig config;
  config.deadline = seconds(3);
  config.min_accuracy = MilliPercent{80'000};
  ControllerHarness harness(config);
  harness.lead_with({one_slot(), device("good").serves(variant("g-fp32", 81), milliseconds(90))});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "good");
  EXPECT_EQ(harness.last_dispatch().budget, seconds(3));
}

TEST(Controller, DefaultEnergyLimit_HoldsForTasksThatStateNone) {
  ControllerConfig config;
  config.max_energy = Microjoules{1000};
  ControllerHarness harness(config);
  harness.lead_with({one_slot()});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  harness.submit(submission("u").max_energy_mj(200));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "u");
}

TEST(Controller, Auto_MeansTheConfiguredModel) {
  ControllerConfig config;
  config.auto_model = "yolo";
  ControllerHarness harness(config);
  Variant yolo = variant("tiny-fp32");
  yolo.model = "yolo";
  harness.lead_with({one_slot(), device("e").serves(yolo, milliseconds(10))});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().device, "e");
}

TEST(Controller, EnergyLimit_CountsTheUpperEndOfTheInterval) {
  ControllerHarness harness;
  harness.lead_with({device("d").serves(variant("n-fp32"), milliseconds(50), energy_mj(100, 0.5))});
  harness.submit(submission("over").max_energy_mj(149));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  harness.submit(submission("under").max_energy_mj(150));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "under");
}

TEST(Controller, UnknownEnergy_ServesOnlyTasksWithoutALimitAndAfterTheOthers) {
  ControllerHarness harness;
  harness.lead_with({device("a").serves(variant("n-fp32"), milliseconds(5)),
                     device("b").serves(variant("n-fp32"), milliseconds(50), energy_mj(500))});
  harness.submit(submission("limited").max_energy_mj(1000));
  EXPECT_EQ(harness.last_dispatch().device, "b");
  harness.submit(submission("free"));
  EXPECT_EQ(harness.last_dispatch().device, "b");
  harness.submit(submission("hurried").deadline(milliseconds(20)));
  EXPECT_EQ(harness.last_dispatch().device, "a");
}

TEST(Controller, Window_IsNeverExceeded) {
  ControllerHarness harness;
  harness.lead_with({device("d").window(2).serves(variant("n-fp32"), milliseconds(50))});
  for (const char* id : {"a", "b", "c", "d"}) {
    harness.submit(submission(id));
  }
  EXPECT_EQ(harness.dispatches().size(), 2U);
  EXPECT_EQ(harness.controller().tasks().waiting_size(), 2U);
}

TEST(Controller, RoomAppears_TheNextWaitingTaskIsServedAtOnce) {
  ControllerHarness harness;
  harness.lead_with({one_slot()});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "b");
}

TEST(Controller, RoomAppears_TheMostUrgentGoesFirstThenTheEarliestDeadline) {
  ControllerHarness harness;
  harness.lead_with({one_slot()});
  harness.submit(submission("running"));
  harness.submit(submission("late").deadline(seconds(5)));
  harness.submit(submission("soon").deadline(seconds(2)));
  harness.submit(submission("urgent").priority(9).deadline(seconds(9)));
  std::vector<std::string> order;
  for (int i = 0; i < 3; ++i) {
    harness.advance(milliseconds(40));
    harness.result(result_of(harness.last_dispatch()));
    order.push_back(harness.last_dispatch().attempt.task.id);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"urgent", "soon", "late"}));
}

TEST(Controller, UrgentTask_GoesBeforeWhatWaitsInItsPrediction) {
  ControllerHarness harness;
  harness.lead_with({one_slot("d", milliseconds(300))});
  harness.submit(submission("running"));
  harness.submit(submission("waiting"));
  harness.submit(submission("urgent").priority(9).deadline(milliseconds(650)));
  EXPECT_EQ(harness.controller().explain("urgent")->candidates[0].verdict, Verdict::WindowFull);
  harness.submit(submission("second").deadline(milliseconds(650)));
  EXPECT_EQ(harness.controller().explain("second")->candidates[0].verdict, Verdict::QueueTooLong);
}

TEST(Controller, UrgentTaskWithTime_LetsTheLessUrgentGoFirst) {
  ControllerHarness harness;
  harness.lead_with({one_slot("d", milliseconds(100))});
  harness.submit(submission("running"));
  harness.submit(submission("soon").deadline(milliseconds(250)));
  harness.submit(submission("urgent").priority(9).deadline(seconds(5)));
  std::vector<std::string> order;
  for (int i = 0; i < 2; ++i) {
    harness.advance(milliseconds(100));
    harness.result(result_of(harness.last_dispatch()));
    order.push_back(harness.last_dispatch().attempt.task.id);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"soon", "urgent"}));
}

TEST(Controller, UrgentTaskWithLittleTime_GoesFirstWhereverTheLessUrgentGoThen) {
  ControllerHarness harness;
  harness.lead_with({one_slot("d", milliseconds(100))});
  harness.submit(submission("running"));
  harness.submit(submission("soon").deadline(milliseconds(250)));
  harness.submit(submission("urgent").priority(9).deadline(milliseconds(320)));
  EXPECT_EQ(harness.outcomes().size(), 1U);
  harness.advance(milliseconds(100));
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "urgent");
}

// 1 ms of computing at the end of a way of 3 ms: the first result comes after 4 ms, when the window
// of two would have stood empty for half a millisecond.
TEST(Controller, LongWay_HoldsMoreThanTheWindow) {
  ControllerHarness harness;
  harness.lead_with({device("d").window(2).serves(variant("n-fp32"), milliseconds(1))});
  for (int i = 0; i < 20; ++i) {
    harness.submit(submission("t" + std::to_string(i)));
  }
  EXPECT_EQ(harness.dispatches().size(), 2U);
  harness.advance(Micros{1'900});
  EXPECT_EQ(harness.dispatches().size(), 3U);
  harness.advance(Micros{2'000});
  EXPECT_EQ(harness.dispatches().size(), 5U);
}

// Without results it is believed to be slower and slower.
TEST(Controller, LongWay_IsNotFilledForADeviceThatDoesNotAnswer) {
  ControllerHarness harness;
  harness.lead_with({device("d").window(2).serves(variant("n-fp32"), milliseconds(1))});
  for (int i = 0; i < 200; ++i) {
    harness.submit(submission("t" + std::to_string(i)).deadline(seconds(9)));
  }
  harness.advance(milliseconds(900));
  EXPECT_LE(harness.dispatches().size(), 20U);
}

TEST(Controller, NewDevice_ServesWhoStandsInAnothersLine) {
  ControllerHarness harness;
  harness.lead_with({one_slot("busy")});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.hello(device("new").window(1).serves(variant("n-fp32"), milliseconds(50), energy_mj(90)));
  EXPECT_EQ(harness.last_dispatch().device, "new");
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "b");
}

TEST(Controller, NewDeviceThatIsNoBetter_ChangesNothing) {
  ControllerHarness harness;
  harness.lead_with({one_slot("busy")});
  harness.submit(submission("a"));
  harness.submit(submission("b"));
  harness.hello(
      device("new").window(1).serves(variant("n-fp32"), milliseconds(50), energy_mj(900)));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.controller().tasks().waiting_size(), 1U);
}

TEST(Controller, BusyForLongerThanTheDeadline_IsRejectedAtOnce) {
  ControllerHarness harness;
  harness.lead_with({one_slot("busy")});
  harness.submit(submission("a"));
  harness.submit(submission("b").deadline(milliseconds(80)));
  EXPECT_EQ(harness.last_outcome().key.id, "b");
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("overload"), std::string::npos);
}

TEST(Controller, MoreUrgentTask_SendsAwayWhoCannotBeInTimeAfterIt) {
  ControllerHarness harness;
  harness.lead_with({one_slot("busy")});
  harness.submit(submission("a"));
  harness.submit(submission("low").deadline(milliseconds(120)).priority(1));
  EXPECT_EQ(harness.outcomes().size(), 0U);
  harness.submit(submission("high").deadline(milliseconds(120)).priority(2));
  EXPECT_EQ(harness.last_outcome().key.id, "low");
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "high");
}

TEST(Controller, ResultThatDoesNotCome_SendsAwayWhoWouldMissBeforeItsDeadline) {
  ControllerHarness harness;
  harness.lead_with({one_slot("d", milliseconds(900))});
  harness.submit(submission("running"));
  // Sent when the device is predicted to be free.
  harness.submit(submission("next").deadline(milliseconds(2900)));
  harness.submit(submission("waiting").deadline(milliseconds(2950)));
  harness.advance(milliseconds(2890));
  const Outcome outcome = harness.last_outcome();
  EXPECT_EQ(outcome.key.id, "waiting");
  EXPECT_EQ(outcome.kind, OutcomeKind::Rejected);
  EXPECT_FALSE(outcome.reason.empty());
}

TEST(Controller, NothingCanEverServeIt_IsRejectedAtOnceWithTheReason) {
  ControllerHarness harness;
  harness.lead_with({one_slot()});
  harness.submit(submission("t").model("no-such-model"));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
  EXPECT_NE(harness.last_outcome().reason.find("no-such-model"), std::string::npos);
}

TEST(Controller, PredictedToMissItsDeadline_IsRejectedNotTried) {
  ControllerHarness harness;
  harness.lead_with({one_slot("d", milliseconds(50))});
  harness.submit(submission("t").deadline(milliseconds(40)));
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
}

TEST(Controller, SlowResults_AreBelievedInTheNextPrediction) {
  ControllerHarness harness;
  harness.lead_with({one_slot()});
  for (int i = 0; i < 30; ++i) {
    harness.submit(submission("t" + std::to_string(i)));
    harness.advance(milliseconds(160));
    AttemptResult slow = result_of(harness.last_dispatch());
    slow.compute = milliseconds(150);
    harness.result(slow);
  }
  harness.submit(submission("hurried").deadline(milliseconds(100)));
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);
}

TEST(Controller, ResultTooLateForItsTask_IsBelievedAllTheSame) {
  ControllerConfig config;
  config.hedges = false;
  ControllerHarness harness(config);
  harness.lead_with({one_slot("d", milliseconds(50))});
  for (int i = 0; i < 3; ++i) {
    harness.submit(submission("t" + std::to_string(i)).deadline(milliseconds(100)));
    const Dispatch dispatch = harness.last_dispatch();
    harness.advance(milliseconds(120));
    harness.confirm_all();
    AttemptResult result = result_of(dispatch);
    result.compute = milliseconds(117);
    harness.result(result);
  }
  EXPECT_GT(harness.controller().fleet().devices()[0].lanes[0].learned->correction(0), 1300);
}

TEST(Controller, HeartbeatSaysMemoryIsShort_TheTaskWaitsForIt) {
  ControllerHarness harness;
  harness.lead_with(
      {device("d").serves(variant("n-fp32"), milliseconds(50), energy_mj(1), mebibytes(100))});
  Heartbeat beat;
  beat.host.memory_free = mebibytes(10);
  harness.heartbeat("d", beat);
  harness.submit(submission("t"));
  EXPECT_TRUE(harness.dispatches().empty());
  EXPECT_NE(harness.controller().tasks().find(TaskKey{"reply_to:replies", "t"}), nullptr);
  beat.host.memory_free = mebibytes(200);
  harness.heartbeat("d", beat);
  harness.advance(milliseconds(600));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "t");
}

TEST(Controller, LineOfAProcessor_IsServedEvenIfItsFirstTaskGoesElsewhere) {
  ControllerHarness harness(ControllerConfig{}, "fastest-finish");
  harness.lead_with({one_slot("a", milliseconds(50)), one_slot("b", milliseconds(60))});
  for (const char* id : {"t1", "t2", "t3", "t4", "t5"}) {
    harness.submit(submission(id));
  }
  ASSERT_EQ(harness.dispatches().size(), 2U);
  harness.advance(milliseconds(40));
  for (const Dispatch& dispatch : harness.dispatches()) {
    harness.result(result_of(dispatch));
  }
  EXPECT_EQ(harness.dispatches().size(), 4U);
}

// Two tasks that may wait for five minutes, while the one before them computes; nobody comes after.
std::vector<Dispatch> after_the_last_arrival(DeviceFacts facts, Micros silence) {
  ControllerHarness harness;
  harness.lead_with({std::move(facts)});
  for (const char* id : {"t1", "t2", "t3"}) {
    harness.submit(submission(id).deadline(seconds(300)));
    harness.advance(milliseconds(10));
  }
  const Dispatch first = harness.last_dispatch();
  harness.clear();
  harness.result(result_of(first));
  harness.advance(silence);
  return harness.dispatches();
}

TEST(Controller, CompanyThatHasStoppedComing_IsNotWaitedForUntilTheDeadline) {
  const DeviceFacts saves_by_batches =
      device("d")
          .window(1)
          .batch_max(8)
          .serves(variant("n-fp32"), milliseconds(50), energy_mj(100))
          .point(8, milliseconds(80), energy_mj(160));
  EXPECT_TRUE(after_the_last_arrival(saves_by_batches, milliseconds(20)).empty());
  EXPECT_EQ(after_the_last_arrival(saves_by_batches, seconds(2)).size(), 2U);
}

TEST(Controller, EnergyUnknown_CompanyIsNotWaitedForUntilTheDeadlineEither) {
  const DeviceFacts unknown = device("d")
                                  .window(1)
                                  .batch_max(8)
                                  .serves(variant("n-fp32"), milliseconds(50))
                                  .point(8, milliseconds(80));
  EXPECT_EQ(after_the_last_arrival(unknown, milliseconds(200)).size(), 2U);
}

}  // namespace
}  // namespace juggler
