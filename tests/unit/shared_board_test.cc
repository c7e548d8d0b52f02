// Processors of one board that slow each other down: how far batches come, what the consumer says
// of it, and what the controller predicts and learns.

#include "core/shared_board.h"

#include <gtest/gtest.h>

#include "support/consumer_harness.h"
#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ConsumerHarness;
using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;

// "a" takes twice as long beside "b"; "b" half as long again beside "a".
DeviceFacts shared(std::int64_t a = 2000, std::int64_t b = 1500) {
  DeviceFacts facts = device("d")
                          .processor("a")
                          .serves(variant("n-fp32", 70), milliseconds(40), energy_mj(100))
                          .processor("b")
                          .serves(variant("m-fp32", 90), milliseconds(60), energy_mj(200));
  facts.processors[0].slowed_by = {{"b", a}};
  facts.processors[1].slowed_by = {{"a", b}};
  return facts;
}

Time at_ms(std::int64_t ms) { return Time{milliseconds(ms).count}; }

TEST(SharedBoard, OneAlone_ComesAsFarAsTheTimeThatPasses) {
  SharedBoard board(shared().processors);
  EXPECT_TRUE(board.shared());
  board.begin(0, at_ms(5));
  EXPECT_EQ(board.progress(0, at_ms(25)), milliseconds(20));
  EXPECT_EQ(board.done_at(0, milliseconds(40), at_ms(25)), at_ms(45));
}

TEST(SharedBoard, BothAtWork_EachByItsOwnFactor) {
  SharedBoard board(shared().processors);
  board.begin(0, at_ms(0));
  board.begin(1, at_ms(10));
  EXPECT_EQ(board.progress(0, at_ms(30)), milliseconds(20)) << "10 alone and half of 20";
  EXPECT_EQ(board.progress(1, at_ms(40)), milliseconds(20));
  EXPECT_EQ(board.done_at(0, milliseconds(40), at_ms(30)), at_ms(70));
  board.end(1, at_ms(40));
  EXPECT_EQ(board.done_at(0, milliseconds(40), at_ms(40)), at_ms(55)) << "25 done by then";
  EXPECT_EQ(board.overdue(0, milliseconds(40), at_ms(57)), milliseconds(2));
  EXPECT_EQ(board.overdue(0, milliseconds(40), at_ms(50)), Micros{0});
}

TEST(SharedBoard, SecondBatch_BeginsAtNothing) {
  SharedBoard board(shared().processors);
  board.begin(0, at_ms(0));
  board.end(0, at_ms(10));
  board.begin(0, at_ms(20));
  EXPECT_EQ(board.progress(0, at_ms(25)), milliseconds(5));
}

TEST(SharedBoard, NobodySlowsAnybody_IsNotShared) {
  EXPECT_FALSE(SharedBoard(shared(1000, 1000).processors).shared());
  DeviceFacts facts = shared();
  facts.processors.pop_back();
  EXPECT_FALSE(SharedBoard(facts.processors).shared()) << "by one that is not there";
}

TEST(Slowdown, SeveralOthers_MultiplyUpToTheMostThatOneMayBe) {
  DeviceFacts facts = shared();
  facts.processors.resize(2);
  facts.processors.push_back(facts.processors[1]);
  facts.processors[2].id = "c";
  facts.processors[0].slowed_by = {{"b", 2000}, {"c", 1500}};
  const auto all = [](std::size_t) { return true; };
  EXPECT_EQ(slowdown_of(facts.processors, 0, all), 3000);
  EXPECT_EQ(slowdown_of(facts.processors, 0, [](std::size_t other) { return other == 2; }), 1500);
  EXPECT_EQ(slowdown_of(facts.processors, 0, [](std::size_t) { return false; }), 1000);
  facts.processors[0].slowed_by = {{"b", 9000}, {"c", 9000}};
  EXPECT_EQ(slowdown_of(facts.processors, 0, all), kSlowdownMax);
}

Dispatch dispatch_on(const DeviceFacts& facts, std::size_t processor, const std::string& id) {
  Dispatch dispatch = test::dispatch_for(facts, id);
  dispatch.processor = facts.processors[processor].id;
  dispatch.variant = facts.processors[processor].profiles.front().variant;
  return dispatch;
}

TEST(Consumer, OtherProcessorWorked_ResultSaysHowMuchOfItsTimeThatWas) {
  const DeviceFacts facts = shared();
  ConsumerHarness harness(facts);
  harness.link_up();
  harness.dispatch(dispatch_on(facts, 0, "first"));
  const std::uint64_t first = harness.all<StartBatch>().back().batch;
  harness.advance(milliseconds(20));
  harness.dispatch(dispatch_on(facts, 1, "second"));
  harness.advance(milliseconds(40));  // 20 alone, 40 at half speed: 40 of 60 would have been enough
  BatchReport report;
  report.compute = milliseconds(60);
  report.outputs.resize(1);
  report.outputs[0].status = AttemptStatus::Ok;
  harness.step(BatchFinished{first, report});
  const AttemptResult result = *harness.all<SendResult>().back().result;
  EXPECT_EQ(result.compute, milliseconds(60));
  EXPECT_NEAR(static_cast<double>(result.slowed.count), 20'000.0, 1.0);
}

TEST(Consumer, WorksAlone_NothingWasSlowed) {
  const DeviceFacts facts = shared();
  ConsumerHarness harness(facts);
  harness.link_up();
  harness.dispatch(dispatch_on(facts, 0, "t"));
  harness.advance(milliseconds(90));
  harness.finish();
  EXPECT_EQ(harness.all<SendResult>().back().result->slowed, Micros{0});
}

// What the controller predicts of a task for a processor's variant now: from its deadline on, by
// what it refuses.
bool placed_within(const DeviceFacts& facts, Micros deadline, bool other_works,
                   Micros slowed = Micros{0}) {
  ControllerHarness harness;
  harness.lead_with({facts});
  if (slowed > Micros{0}) {  // eight results that took twice as long
    for (int i = 0; i < 8; ++i) {
      harness.submit(submission("s" + std::to_string(i)).model("n-fp32").deadline(seconds(5)));
      AttemptResult result = result_of(harness.last_dispatch());
      harness.advance(milliseconds(83));
      result.compute = milliseconds(80);
      result.slowed = slowed;
      harness.result(result);
      harness.advance(milliseconds(10));
    }
  }
  if (other_works) {
    harness.submit(submission("other").model("m-fp32").deadline(seconds(5)));
    EXPECT_EQ(harness.last_dispatch().processor, "b");
  }
  harness.clear();
  harness.submit(submission("t").model("n-fp32").deadline(deadline));
  return !harness.dispatches().empty();
}

TEST(Controller, OtherProcessorAtWork_IsInThePrediction) {
  const Micros deadline = milliseconds(65);  // 40 ms and the way fit, 80 do not
  EXPECT_TRUE(placed_within(shared(), deadline, false));
  EXPECT_FALSE(placed_within(shared(), deadline, true));
  EXPECT_TRUE(placed_within(shared(1000, 1000), deadline, true));
  EXPECT_TRUE(placed_within(shared(), milliseconds(110), true));
}

TEST(Controller, TimeThatTheOtherTook_IsNotLearnedAsItsOwn) {
  const Micros deadline = milliseconds(65);
  EXPECT_TRUE(placed_within(shared(), deadline, false, milliseconds(40)))
      << "80 ms, of which the other processor took 40: it is as fast as ever";
  EXPECT_FALSE(placed_within(shared(), deadline, false, Micros{1}))
      << "80 ms of its own: it has become slow";
}

TEST(Controller, OtherProcessorTakesUpWork_MakesNoStragglerOfWhatRuns) {
  const DeviceFacts facts = shared(4000, 1000);
  DeviceFacts spare = shared(1000, 1000);
  spare.id = "spare";
  ControllerHarness harness;
  harness.lead_with({facts});
  harness.submit(submission("t").model("n-fp32").deadline(seconds(5)));
  harness.hello(spare);
  harness.submit(submission("o").model("m-fp32").deadline(seconds(5)));
  ASSERT_EQ(harness.last_dispatch().device, "d");
  harness.clear();
  harness.advance(milliseconds(150));  // 40 ms, which may become 160
  for (const Dispatch& dispatch : harness.dispatches()) {
    EXPECT_NE(dispatch.attempt.task.id, "t") << "tried elsewhere while it is on time";
  }
}

}  // namespace
}  // namespace juggler
