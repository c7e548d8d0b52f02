// How a board's times change with what it has been doing: warm-up and heat.

#include "core/board_curves.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace juggler {
namespace {

std::vector<Processor> processors() {
  const DeviceFacts facts = test::device("d").processor("cpu0").processor("gpu0");
  return facts.processors;
}

Time at_ms(std::int64_t ms) { return Time{milliseconds(ms).count}; }

// The first run twice as long; 37 % of that left after 100 ms of work; back after seconds of rest.
BoardCurves warming() {
  BoardCurves curves;
  curves.warm_up["cpu0"] = {2000, milliseconds(100), seconds(1)};
  return curves;
}

// 40 C at rest, 10 C for each watt, in 10 s; from 70 C on a tenth slower with each degree.
BoardCurves heating() {
  BoardCurves curves;
  curves.heat = Heating{40'000, 10'000, seconds(10), 70'000, 100, 3000};
  return curves;
}

TEST(BoardState, FirstRun_IsSlower_AndWarmOnesAreNot) {
  BoardState board(warming(), processors());
  EXPECT_EQ(board.begin(0, Micros{1}, {}, at_ms(0)), 2000) << "too short to warm up in";
  board.end(0, at_ms(100));
  EXPECT_NEAR(static_cast<double>(board.begin(0, Micros{1}, {}, at_ms(100))), 1368, 1) << "1 + 1/e";
  board.end(0, at_ms(900));
  EXPECT_NEAR(static_cast<double>(board.begin(0, Micros{1}, {}, at_ms(900))), 1000, 1);
}

TEST(BoardState, LongRun_CountsTheMeanOverItself) {
  BoardState board(warming(), processors());
  // The integral of exp(-t) from 0 to 1 is 1 - 1/e.
  EXPECT_NEAR(static_cast<double>(board.begin(0, milliseconds(100), {}, at_ms(0))), 1632, 1);
}

TEST(BoardState, RestAndLoading_BringTheFirstRunBack) {
  BoardState board(warming(), processors());
  board.begin(0, milliseconds(100), {}, at_ms(0));
  board.end(0, at_ms(2'000));
  EXPECT_NEAR(static_cast<double>(board.begin(0, Micros{1}, {}, at_ms(3'000))), 1632, 1)
      << "63 % of it is back after a second";
  board.end(0, at_ms(5'000));
  board.loaded(0, at_ms(5'000));
  EXPECT_EQ(board.begin(0, Micros{1}, {}, at_ms(5'000)), 2000);
}

TEST(BoardState, ProcessorWithoutACurve_IsAsFastAsEver) {
  BoardState board(warming(), processors());
  EXPECT_EQ(board.begin(1, milliseconds(5), Milliwatts{9'000}, at_ms(0)), 1000);
  EXPECT_FALSE(board.millicelsius(at_ms(1)).has_value());
  EXPECT_FALSE(board.throttled(at_ms(1)));
}

TEST(BoardState, Power_HeatsByItsTimeConstant_AndRestCools) {
  BoardState board(heating(), processors());
  EXPECT_EQ(board.millicelsius(at_ms(0)), 40'000);
  board.begin(0, milliseconds(5), Milliwatts{2'000}, at_ms(0));
  EXPECT_NEAR(static_cast<double>(*board.millicelsius(at_ms(10'000))), 40'000 + 20'000 * 0.632, 20);
  EXPECT_NEAR(static_cast<double>(*board.millicelsius(at_ms(100'000))), 60'000, 10);
  EXPECT_FALSE(board.throttled(at_ms(100'000))) << "2 W never reach 70 C";
  board.end(0, at_ms(100'000));
  EXPECT_NEAR(static_cast<double>(*board.millicelsius(at_ms(110'000))), 40'000 + 20'000 * 0.368,
              20);
}

TEST(BoardState, TooMuchPower_SlowsAndSettlesWhereTheSlowerBoardIsAsWarm) {
  BoardState board(heating(), processors());
  std::int64_t permille = 1000;
  Time now{};
  int throttled_at = 0;
  for (int batch = 0; batch < 4'000;
       ++batch) {  // of 20 ms at 5 W when cool: 90 C, were it not slowed
    permille = board.begin(0, milliseconds(20), Milliwatts{5'000}, now);
    now = now + milliseconds(20) * permille / 1000;
    board.end(0, now);
    throttled_at = throttled_at == 0 && board.throttled(now) ? batch : throttled_at;
  }
  // T = 40 + 50 / s and s = 1 + (T - 70) / 10: s = 1.4495, T = 74.5.
  EXPECT_NEAR(static_cast<double>(permille), 1449, 8);
  EXPECT_NEAR(static_cast<double>(*board.millicelsius(now)), 74'490, 100);
  EXPECT_TRUE(board.throttled(now));
  EXPECT_GT(throttled_at, 100) << "not within two seconds";
  now = now + seconds(100);
  EXPECT_EQ(board.begin(0, milliseconds(20), Milliwatts{5'000}, now), 1000) << "cool again";
}

TEST(BoardState, Slowdown_IsAtMostTheMost_AndBothProcessorsHeat) {
  BoardCurves curves = heating();
  curves.heat->slowdown_permille_per_celsius = 10'000;
  curves.heat->slowdown_permille_max = 1500;
  BoardState board(curves, processors());
  board.begin(0, milliseconds(5), Milliwatts{30'000}, at_ms(0));
  board.begin(1, milliseconds(5), Milliwatts{30'000}, at_ms(0));
  EXPECT_NEAR(static_cast<double>(*board.millicelsius(at_ms(1'000'000))), 640'000, 100);
  board.end(0, at_ms(1'000'000));
  EXPECT_EQ(board.begin(0, milliseconds(5), Milliwatts{1}, at_ms(1'000'000)), 1500);
}

TEST(BoardCurves, WithoutAny_AreFlat) {
  EXPECT_TRUE(BoardCurves{}.flat());
  EXPECT_FALSE(warming().flat());
  EXPECT_FALSE(heating().flat());
}

}  // namespace
}  // namespace juggler
