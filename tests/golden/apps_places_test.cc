// What is known of the `juggler up`s that run.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "apps/places.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

class RunningTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_STATE_HOME", folder_.path().c_str(), /*overwrite=*/1); }
  void TearDown() override { unsetenv("XDG_STATE_HOME"); }

  // Two processes that do run.
  const std::int64_t first_ = getppid();
  const std::int64_t second_ = getpid();
  test::TempFolder folder_;
};

std::string home_found() {
  const std::optional<Running> found = find_running();
  return found.has_value() ? found->home.string() : "none";
}

TEST_F(RunningTest, LaterOneEnds_TheEarlierIsFoundAgain) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/second", second_, "amqp://b"}));
  EXPECT_EQ(home_found(), "/second");
  remove_running(second_);
  EXPECT_EQ(home_found(), "/first");
  remove_running(first_);
  EXPECT_EQ(home_found(), "none");
}

TEST_F(RunningTest, EarlierOneEnds_TheLaterStays) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/second", second_, ""}));
  remove_running(first_);
  EXPECT_EQ(home_found(), "/second");
  remove_running(second_);
  EXPECT_EQ(home_found(), "none");
}

TEST_F(RunningTest, OneThatWasKilled_HidesNobody) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/killed", 0x7fff'fff0, ""}));  // no process has such a number
  EXPECT_EQ(home_found(), "/first");
}

}  // namespace
}  // namespace juggler
