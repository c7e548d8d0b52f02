// What the sessions of Juggler ask of the broker.

#include "runtime/session.h"

#include <gtest/gtest.h>

#include "core/task_table.h"
#include "runtime/repeated_warning.h"
#include "wire/messages.h"

namespace juggler {
namespace {

// Tasks beyond the controller's bound must reach it, or nobody is told of the overload: tasks that
// wait for long would hold up all others without a word. Also where each is asked for once more.
TEST(ControllerPlan, TakesMoreTasksThanItServesAndThoseWhoAskAgain) {
  int tasks_prefetch = 0;
  for (const Subscription& subscription : controller_plan("c").subscriptions) {
    if (subscription.queue == wire::kTasksQueue) {
      tasks_prefetch = subscription.prefetch;
    }
  }
  EXPECT_GE(static_cast<std::size_t>(tasks_prefetch), kTasksMax + kJoinedMax + 1'024);
}

TEST(RepeatedWarning, SameText_IsSaidAtGrowingDistances) {
  RepeatedWarning warning;
  std::vector<std::uint64_t> said;
  for (int i = 0; i < 20; ++i) {
    if (const std::uint64_t times = warning.to_say("no broker"); times > 0) {
      said.push_back(times);
    }
  }
  EXPECT_EQ(said, (std::vector<std::uint64_t>{1, 4, 16}));
  EXPECT_EQ(warning.to_say("another"), 1U);
  EXPECT_EQ(warning.to_say("no broker"), 1U);
  warning.forget();
  EXPECT_EQ(warning.to_say("no broker"), 1U);
}

}  // namespace
}  // namespace juggler
