// What the sessions of Juggler ask of the broker.

#include "runtime/session.h"

#include <gtest/gtest.h>

#include "core/task.h"
#include "wire/messages.h"

namespace juggler {
namespace {

// Tasks beyond the controller's bound must reach it, or nobody is told of the overload: tasks that
// wait for long would hold up all others without a word.
TEST(ControllerPlan, TakesMoreTasksThanItServes) {
  int tasks_prefetch = 0;
  for (const Subscription& subscription : controller_plan("c").subscriptions) {
    if (subscription.queue == wire::kTasksQueue) {
      tasks_prefetch = subscription.prefetch;
    }
  }
  EXPECT_GT(static_cast<std::size_t>(tasks_prefetch), kTasksMax);
}

}  // namespace
}  // namespace juggler
