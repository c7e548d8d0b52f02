// Files on the command line as they are sent: as they are, or reduced.

#include "apps/pictures.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "inference/image.h"
#include "inference/synthetic_picture.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

class LoadPicture : public testing::Test {
 protected:
  fs::path file(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << bytes;
    return folder_.path() / name;
  }

 private:
  test::TempFolder folder_;
};

TEST_F(LoadPicture, Reduced_IsASmallerJpeg) {
  const std::string whole = synthetic_jpeg();  // 500 x 375
  const Result<PictureFile> reduced = load_picture(file("a.jpg", whole), 100);
  ASSERT_TRUE(reduced) << reduced.error().message;
  EXPECT_EQ(reduced->kind, PayloadKind::Jpeg);
  EXPECT_LT(reduced->bytes->size(), whole.size() / 4);
  const Result<ImageHeader> header = read_header(*reduced->bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->width, 133);
  EXPECT_EQ(header->height, 100);
}

TEST_F(LoadPicture, NotReducedOrSmallEnough_IsTheFile) {
  const std::string whole = synthetic_jpeg();
  for (const int shrink_px : {0, 375, 2'000}) {
    const Result<PictureFile> loaded = load_picture(file("a.jpg", whole), shrink_px);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(*loaded->bytes, whole) << shrink_px;
  }
}

TEST_F(LoadPicture, LargeFile_IsTakenOnlyToBeReduced) {
  // What stands behind a picture's end belongs to no picture.
  const fs::path large = file("a.jpg", synthetic_jpeg() + std::string(9U << 20U, ' '));
  const Result<PictureFile> refused = load_picture(large);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--shrink"), std::string::npos);
  EXPECT_TRUE(load_picture(large, 100));
  const Result<PictureFile> still = load_picture(large, 2'000);  // not reduced, so too large
  ASSERT_FALSE(still);
  EXPECT_EQ(still.error().code, ErrorCode::TooLarge);
  fs::resize_file(large, 65U << 20U);
  const Result<PictureFile> larger = load_picture(large, 100);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().message.find("--shrink"), std::string::npos);
}

TEST_F(LoadPicture, BrokenPicture_IsRefusedWhereItWouldBeReduced) {
  const std::string whole = synthetic_jpeg();
  const fs::path half = file("a.jpg", whole.substr(0, whole.size() / 2));
  EXPECT_TRUE(load_picture(half)) << "the device says so";
  const Result<PictureFile> refused = load_picture(half, 100);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("truncated"), std::string::npos)
      << refused.error().message;
}

}  // namespace
}  // namespace juggler
