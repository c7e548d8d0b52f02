// A picture reduced before it is sent: its size, what it shows, and what is left alone.

#include "inference/shrink_picture.h"

#include <gtest/gtest.h>

#include <array>

#include "inference/image.h"
#include "inference_pictures.h"

namespace juggler {
namespace {

// Left half red, right half blue, upper half bright.
void paint(int x, int y, int width, int height, std::uint8_t* rgb) {
  const std::uint8_t value = y < height / 2 ? 250 : 120;
  rgb[0] = x < width / 2 ? value : 0;
  rgb[1] = 0;
  rgb[2] = x < width / 2 ? 0 : value;
}

std::string halves(int width, int height) {
  test::JpegSpec spec;
  spec.width = width;
  spec.height = height;
  return test::encode_jpeg(spec, [&](int x, int y, std::uint8_t* channels) {
    paint(x, y, width, height, channels);
  });
}

TEST(ShrinkPicture, LargeJpeg_KeepsItsShapeAndWhatItShows) {
  for (const auto& [width, height] : {std::pair(1600, 1200), std::pair(700, 2100)}) {
    const std::string before = halves(width, height);
    const Result<std::string> after = shrink_picture(before, 320);
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_LT(after->size(), before.size() / 3);
    Picture picture;
    ASSERT_TRUE(decode_picture(*after, 0, picture));
    const int shorter = std::min(width, height);
    EXPECT_EQ(picture.width(), width * 320 / shorter);
    EXPECT_EQ(picture.height(), height * 320 / shorter);
    for (const double across : {0.1, 0.4, 0.6, 0.9}) {
      for (const double down : {0.1, 0.4, 0.6, 0.9}) {
        std::array<std::uint8_t, 3> wanted{};
        paint(static_cast<int>(across * 100), static_cast<int>(down * 100), 100, 100,
              wanted.data());
        const std::uint8_t* found = picture.row(static_cast<int>(down * picture.height())) +
                                    3 * static_cast<int>(across * picture.width());
        for (std::size_t c = 0; c < 3; ++c) {
          EXPECT_NEAR(found[c], wanted[c], 6) << across << " " << down << " " << c;
        }
      }
    }
  }
}

TEST(ShrinkPicture, Png_BecomesAJpeg) {
  const Result<std::string> after = shrink_picture(test::plain_png(900, 600, 10, 200, 30), 64);
  ASSERT_TRUE(after) << after.error().message;
  const Result<ImageHeader> header = read_header(*after);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->kind, PayloadKind::Jpeg);
  EXPECT_EQ(header->width, 96);
  EXPECT_EQ(header->height, 64);
}

TEST(ShrinkPicture, NoLargerThanAsked_IsLeftAlone) {
  const Result<std::string> after = shrink_picture(halves(320, 900), 320);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_TRUE(after->empty());
}

TEST(ShrinkPicture, NarrowestThatThereIs_IsReduced) {
  const Result<std::string> after = shrink_picture(test::plain_png(16'000, 17, 1, 2, 3), 16);
  ASSERT_TRUE(after) << after.error().message;
  const Result<ImageHeader> header = read_header(*after);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->width, 16'000 * 16 / 17);
  EXPECT_EQ(header->height, 16);
}

TEST(ShrinkPicture, BrokenPicture_IsAnErrorInWords) {
  std::string half = halves(800, 800);
  half.resize(half.size() / 2);
  for (const std::string& bytes : {half, std::string("no picture"), std::string()}) {
    const Result<std::string> after = shrink_picture(bytes, 320);
    ASSERT_FALSE(after);
    EXPECT_FALSE(after.error().message.empty());
  }
}

}  // namespace
}  // namespace juggler
