// Measuring this machine: what stops it, and what it keeps.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "inference/calibrate.h"
#include "inference/machine_device.h"
#include "inference/onnx_runtime.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

class CalibrateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::error_code failed;
    std::filesystem::create_directory_symlink(
        std::filesystem::absolute(test::checkout_home() / "onnxruntime"),
        folder_.path() / "onnxruntime", failed);
    if (const auto runtime = load_onnx_runtime(folder_.path()); !runtime) {
      GTEST_SKIP() << runtime.error().message;
    }
    test::make_tiny_home(folder_.path());
  }
  Result<LocalDevice> open(const std::function<bool()>& stop,
                           const std::vector<std::string>& variants = {}) {
    MachineDeviceOptions options;
    options.home = folder_.path();
    options.identity = {"here", 1};
    options.variants = variants;
    options.stop = stop;
    return open_machine_device(options);
  }
  std::filesystem::path file() const { return calibration_file(folder_.path(), "here"); }

  test::TempFolder folder_;
};

TEST_F(CalibrateTest, Stopped_EndsBetweenRunsAndKeepsNothing) {
  int asked = 0;
  const auto device = open([&] { return ++asked > 4; });
  ASSERT_FALSE(device.has_value());
  EXPECT_NE(device.error().message.find("stopped"), std::string::npos) << device.error().message;
  EXPECT_LT(asked, 12) << "it went on measuring";
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(CalibrateTest, DamagedFile_IsMeasuredAgain) {
  test::write_file(file(), "format = 1\n\x01 garbage");
  const auto device = open({});
  ASSERT_TRUE(device.has_value()) << device.error().message;
  EXPECT_EQ(device->facts.processors.at(0).profiles.size(), 1U);
  EXPECT_TRUE(load_calibration(file()).has_value());
}

TEST_F(CalibrateTest, VariantThatNobodyKnows_IsRefusedByName) {
  for (const std::vector<std::string>& wanted :
       {std::vector<std::string>{"tiny-fp32", "nosuch"}, std::vector<std::string>{"nosuch"}}) {
    const auto device = open({}, wanted);
    ASSERT_FALSE(device.has_value());
    EXPECT_EQ(device.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(device.error().message.find("'nosuch'"), std::string::npos) << device.error().message;
  }
}

}  // namespace
}  // namespace juggler
