// The number of a device's start, kept in its home.

#include "apps/incarnation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace juggler {
namespace {

namespace fs = std::filesystem;

class Incarnation : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "juggler-incarnation-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
  }
  void TearDown() override { fs::remove_all(home_); }

  fs::path home_;
};

TEST_F(Incarnation, FirstStart_IsTheClocks) { EXPECT_EQ(next_incarnation(home_, "a", 1000), 1000); }

TEST_F(Incarnation, ClockThatStepsBack_StillGrows) {
  EXPECT_EQ(next_incarnation(home_, "a", 1000), 1000);
  EXPECT_EQ(next_incarnation(home_, "a", 10), 1001);
  EXPECT_EQ(next_incarnation(home_, "a", 1001), 1002);
  EXPECT_EQ(next_incarnation(home_, "a", 5000), 5000);
}

TEST_F(Incarnation, DevicesOfOneHome_CountEachForItself) {
  next_incarnation(home_, "a", 1000);
  EXPECT_EQ(next_incarnation(home_, "b", 10), 10);
}

TEST_F(Incarnation, FileOfJunk_IsTheClocks) {
  next_incarnation(home_, "a", 1000);
  std::ofstream(home_ / "devices" / "a.start", std::ios::trunc) << "9223372036854775807";
  EXPECT_EQ(next_incarnation(home_, "a", 2000), 2000);
  std::ofstream(home_ / "devices" / "a.start", std::ios::trunc) << "junk";
  EXPECT_EQ(next_incarnation(home_, "a", 3000), 3000);
}

TEST_F(Incarnation, HomeThatCannotBeWritten_IsTheClocks) {
  EXPECT_EQ(next_incarnation("/proc/no-such-place", "a", 1000), 1000);
}

}  // namespace
}  // namespace juggler
