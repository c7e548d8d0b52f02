#include "core/timers.h"

#include <gtest/gtest.h>

#include <string>

namespace juggler {
namespace {

using StringTimers = Timers<std::string>;

TEST(Timers, Empty_NextIsNever) { EXPECT_EQ(StringTimers().next(), Time::never()); }

TEST(Timers, BeforeItsTime_NotDue) {
  StringTimers timers;
  timers.set(Time{10}, "a");
  EXPECT_FALSE(timers.pop_due(Time{9}).has_value());
  EXPECT_EQ(timers.pop_due(Time{10}), "a");
}

TEST(Timers, DueTogether_RunInTheOrderTheyWereSet) {
  StringTimers timers;
  timers.set(Time{5}, "first");
  timers.set(Time{5}, "second");
  timers.set(Time{4}, "earlier");
  EXPECT_EQ(timers.pop_due(Time{5}), "earlier");
  EXPECT_EQ(timers.pop_due(Time{5}), "first");
  EXPECT_EQ(timers.pop_due(Time{5}), "second");
}

TEST(Timers, Cancelled_NeverRuns) {
  StringTimers timers;
  const StringTimers::Id id = timers.set(Time{5}, "a");
  timers.cancel(id);
  EXPECT_FALSE(timers.pop_due(Time{100}).has_value());
}

TEST(Timers, CancellingOneThatHasRun_DoesNothing) {
  StringTimers timers;
  const StringTimers::Id id = timers.set(Time{5}, "a");
  timers.set(Time{5}, "b");
  EXPECT_EQ(timers.pop_due(Time{5}), "a");
  timers.cancel(id);
  EXPECT_EQ(timers.pop_due(Time{5}), "b");
}

TEST(Timers, DefaultId_NamesNone) {
  StringTimers timers;
  timers.set(Time{5}, "a");
  timers.cancel({});
  EXPECT_EQ(timers.pop_due(Time{5}), "a");
}

}  // namespace
}  // namespace juggler
