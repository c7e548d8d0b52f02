#include "runtime/line_rate.h"

#include <gtest/gtest.h>

namespace juggler {
namespace {

TEST(LineRate, Flood_IsTenLinesASecondAndTheNumberLeftOut) {
  LineRate rate;
  int said = 0;
  for (int i = 0; i < 1000; ++i) {
    said += rate.may_say(Time{i * 1000}) ? 1 : 0;
    EXPECT_EQ(rate.take_left_out(Time{i * 1000}), 0U) << "its second is not over";
  }
  EXPECT_EQ(said, 10);
  EXPECT_EQ(rate.take_left_out(Time{1'000'000}), 990U);
  EXPECT_EQ(rate.take_left_out(Time{1'000'000}), 0U) << "once";
  EXPECT_TRUE(rate.may_say(Time{1'000'000}));
}

TEST(LineRate, FewLines_AreAllSaid) {
  LineRate rate;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(rate.may_say(Time{i * 100'000}));
  }
  EXPECT_EQ(rate.take_left_out(Time{1'000'000'000}), 0U);
}

}  // namespace
}  // namespace juggler
