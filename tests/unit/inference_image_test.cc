// Headers and decoding of pictures, good and bad.

#include "inference/image.h"

#include <gtest/gtest.h>

#include <array>

#include "inference_pictures.h"

namespace juggler {
namespace {

using test::Bytes8;

std::array<int, 3> pixel(Picture& picture, int x, int y) {
  const std::uint8_t* at = picture.row(y) + std::size_t{3} * static_cast<std::size_t>(x);
  return {at[0], at[1], at[2]};
}

// Decodes, or fails the test with the reason.
Picture decoded(const std::string& bytes, int shorter_px_needed = 0) {
  Picture picture;
  const Result<void> result = decode_picture(bytes, shorter_px_needed, picture);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return picture;
}

ErrorCode decode_error(const std::string& bytes) {
  Picture picture;
  const Result<void> result = decode_picture(bytes, 0, picture);
  return result ? ErrorCode::Internal : result.error().code;
}

TEST(PictureHeader, Jpeg_KindAndSize) {
  const Result<ImageHeader> header = read_header(test::detailed_jpeg(37, 21));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->kind, PayloadKind::Jpeg);
  EXPECT_EQ(header->width, 37);
  EXPECT_EQ(header->height, 21);
}

TEST(PictureHeader, Png_KindAndSize) {
  const Result<ImageHeader> header = read_header(test::plain_png(19, 5, 1, 2, 3));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->kind, PayloadKind::Png);
  EXPECT_EQ(header->width, 19);
  EXPECT_EQ(header->height, 5);
}

TEST(PictureHeader, NoBytes_SaysSo) {
  const Result<ImageHeader> header = read_header("");
  ASSERT_FALSE(header.has_value());
  EXPECT_EQ(header.error().code, ErrorCode::Corrupt);
  EXPECT_NE(header.error().message.find("0 bytes"), std::string::npos);
}

TEST(PictureHeader, Text_IsNoPicture) {
  const Result<ImageHeader> header = read_header("hello, this is text");
  ASSERT_FALSE(header.has_value());
  EXPECT_EQ(header.error().code, ErrorCode::Unsupported);
}

TEST(PictureHeader, OtherFormat_IsNamed) {
  const Result<ImageHeader> header = read_header("GIF89a\x01\x02\x03");
  ASSERT_FALSE(header.has_value());
  EXPECT_NE(header.error().message.find("a GIF; send JPEG or PNG"), std::string::npos);
}

TEST(PictureHeader, EveryCutOfTheHeader_IsAnErrorThatDoesNotReadOn) {
  const std::string jpeg = test::detailed_jpeg(8, 8);
  const std::string png = test::plain_png(8, 8, 0, 0, 0);
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  for (std::size_t size = 0; size < frame + 10; ++size) {
    EXPECT_FALSE(read_header(jpeg.substr(0, size)).has_value()) << size;
  }
  for (std::size_t size = 0; size < 33; ++size) {
    EXPECT_FALSE(read_header(png.substr(0, size)).has_value()) << size;
  }
}

TEST(PictureHeader, ThirtyThousandASide_TooLargeWithTheNumbers) {
  const Result<ImageHeader> header = read_header(test::png_header_only(30'000, 30'000));
  ASSERT_FALSE(header.has_value());
  EXPECT_EQ(header.error().code, ErrorCode::TooLarge);
  EXPECT_NE(header.error().message.find("30000 x 30000"), std::string::npos);
  EXPECT_NE(header.error().message.find("64 megapixels"), std::string::npos);
}

TEST(PictureHeader, SidesWithinLimitButTooManyPixels_TooLarge) {
  EXPECT_EQ(read_header(test::png_header_only(16'384, 16'384)).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(read_header(test::png_header_only(16'384, 3'906)).has_value());
}

TEST(PictureHeader, ImpossibleSizes_AreErrors) {
  EXPECT_EQ(read_header(test::png_header_only(0, 7)).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(read_header(test::png_header_only(0x80000000U, 7)).error().code, ErrorCode::Corrupt);
}

TEST(PictureDecode, JpegColours_WithinTheCodecsLoss) {
  test::JpegSpec spec;
  const std::string jpeg = test::encode_jpeg(spec, [](int, int, std::uint8_t* rgb) {
    rgb[0] = 200;
    rgb[1] = 100;
    rgb[2] = 50;
  });
  Picture picture = decoded(jpeg);
  ASSERT_EQ(picture.width(), 16);
  const std::array<int, 3> got = pixel(picture, 8, 8);
  EXPECT_NEAR(got[0], 200, 3);
  EXPECT_NEAR(got[1], 100, 3);
  EXPECT_NEAR(got[2], 50, 3);
}

TEST(PictureDecode, ProgressiveJpeg_SameAsBaseline) {
  Picture baseline = decoded(test::detailed_jpeg(64, 48));
  Picture progressive = decoded(test::detailed_jpeg(64, 48, true));
  EXPECT_TRUE(std::equal(baseline.pixels().begin(), baseline.pixels().end(),
                         progressive.pixels().begin(), progressive.pixels().end()));
}

TEST(PictureDecode, GreyJpeg_ThreeEqualChannels) {
  test::JpegSpec spec;
  spec.channels = 1;
  spec.pixels = JCS_GRAYSCALE;
  spec.file = JCS_GRAYSCALE;
  Picture picture = decoded(test::encode_jpeg(spec, [](int, int, std::uint8_t* v) { *v = 77; }));
  EXPECT_EQ(pixel(picture, 3, 3), (std::array<int, 3>{77, 77, 77}));
}

TEST(PictureDecode, CmykJpeg_InkBecomesLight) {
  for (const J_COLOR_SPACE file : {JCS_CMYK, JCS_YCCK}) {
    test::JpegSpec spec;
    spec.channels = 4;
    spec.pixels = JCS_CMYK;
    spec.file = file;
    spec.quality = 100;
    // As Adobe stores it: 255 is no ink. Cyan ink alone.
    Picture picture = decoded(test::encode_jpeg(spec, [](int, int, std::uint8_t* ink) {
      ink[0] = 0;
      ink[1] = ink[2] = ink[3] = 255;
    }));
    const std::array<int, 3> got = pixel(picture, 8, 8);
    EXPECT_NEAR(got[0], 0, 3);
    EXPECT_NEAR(got[1], 255, 3);
    EXPECT_NEAR(got[2], 255, 3);
  }
}

TEST(PictureDecode, OnePixel_Works) {
  Picture png = decoded(test::plain_png(1, 1, 9, 8, 7));
  EXPECT_EQ(pixel(png, 0, 0), (std::array<int, 3>{9, 8, 7}));
  Picture jpeg = decoded(test::detailed_jpeg(1, 1), 256);
  EXPECT_EQ(jpeg.width(), 1);
}

TEST(PictureDecode, GreyPngOfOneBit_BlackAndWhite) {
  test::PngSpec spec;
  spec.width = 8;
  spec.height = 1;
  spec.bit_depth = 1;
  spec.colour = PNG_COLOR_TYPE_GRAY;
  Picture picture = decoded(test::encode_png(spec, Bytes8{0b10100000}));
  EXPECT_EQ(pixel(picture, 0, 0), (std::array<int, 3>{255, 255, 255}));
  EXPECT_EQ(pixel(picture, 1, 0), (std::array<int, 3>{0, 0, 0}));
}

TEST(PictureDecode, PaletteWithAlpha_AlphaIsDropped) {
  test::PngSpec spec;
  spec.width = 2;
  spec.height = 1;
  spec.bit_depth = 8;
  spec.colour = PNG_COLOR_TYPE_PALETTE;
  spec.palette = {{10, 20, 30}, {40, 50, 60}};
  spec.palette_alpha = {0, 128};
  Picture picture = decoded(test::encode_png(spec, Bytes8{0, 1}));
  EXPECT_EQ(pixel(picture, 0, 0), (std::array<int, 3>{10, 20, 30}));
  EXPECT_EQ(pixel(picture, 1, 0), (std::array<int, 3>{40, 50, 60}));
}

TEST(PictureDecode, SixteenBitRgba_UpperBytesWithoutAlpha) {
  test::PngSpec spec;
  spec.width = 1;
  spec.height = 1;
  spec.bit_depth = 16;
  spec.colour = PNG_COLOR_TYPE_RGB_ALPHA;
  Picture picture = decoded(test::encode_png(spec, Bytes8{200, 1, 100, 2, 50, 3, 0, 0}));
  EXPECT_EQ(pixel(picture, 0, 0), (std::array<int, 3>{200, 100, 50}));
}

TEST(PictureDecode, GreyWithAlphaPng_ThreeEqualChannels) {
  test::PngSpec spec;
  spec.width = 1;
  spec.height = 1;
  spec.colour = PNG_COLOR_TYPE_GRAY_ALPHA;
  Picture picture = decoded(test::encode_png(spec, Bytes8{123, 5}));
  EXPECT_EQ(pixel(picture, 0, 0), (std::array<int, 3>{123, 123, 123}));
}

TEST(PictureDecode, InterlacedPng_SameAsPlain) {
  test::PngSpec spec;
  spec.width = 21;
  spec.height = 13;
  Bytes8 rows(21 * 13 * 3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<std::uint8_t>(i * 31 % 251);
  }
  spec.interlaced = true;
  Picture picture = decoded(test::encode_png(spec, rows));
  EXPECT_TRUE(
      std::equal(rows.begin(), rows.end(), picture.pixels().begin(), picture.pixels().end()));
}

TEST(PictureDecode, TruncatedAnywhere_IsAnErrorNotAGreyHalf) {
  for (const std::string& whole : {test::detailed_jpeg(96, 80), test::detailed_jpeg(96, 80, true),
                                   test::plain_png(96, 80, 1, 2, 3)}) {
    for (std::size_t part = 1; part < 20; ++part) {
      EXPECT_EQ(decode_error(whole.substr(0, whole.size() * part / 20)), ErrorCode::Corrupt)
          << whole.size() * part / 20 << " of " << whole.size();
    }
    EXPECT_EQ(decode_error(whole.substr(0, whole.size() - 2)), ErrorCode::Corrupt);
  }
}

TEST(PictureEnd, WholePictures_HaveOne) {
  EXPECT_TRUE(check_end(test::detailed_jpeg(96, 80), PayloadKind::Jpeg));
  EXPECT_TRUE(check_end(test::detailed_jpeg(96, 80, true), PayloadKind::Jpeg));
  EXPECT_TRUE(check_end(test::detailed_jpeg(96, 80) + "what cameras append", PayloadKind::Jpeg));
  EXPECT_TRUE(check_end(test::plain_png(96, 80, 1, 2, 3), PayloadKind::Png));
}

TEST(PictureEnd, TruncatedAnywhereBehindTheHeader_HasNone) {
  const std::string jpeg = test::detailed_jpeg(96, 80);
  const std::string png = test::plain_png(96, 80, 1, 2, 3);
  for (std::size_t size = 33; size < jpeg.size(); ++size) {
    EXPECT_FALSE(check_end(jpeg.substr(0, size), PayloadKind::Jpeg)) << size;
  }
  for (std::size_t size = 33; size < png.size(); ++size) {
    EXPECT_FALSE(check_end(png.substr(0, size), PayloadKind::Png)) << size;
  }
}

TEST(PictureEnd, EndOfAThumbnail_IsNotTheEndOfThePicture) {
  const std::string jpeg = test::detailed_jpeg(96, 80);
  const std::string segment("\xff\xe1\x00\x06\xff\xd9\xff\xd9", 8);
  const std::string with_thumbnail = jpeg.substr(0, 2) + segment + jpeg.substr(2);
  EXPECT_TRUE(check_end(with_thumbnail, PayloadKind::Jpeg));
  EXPECT_FALSE(check_end(with_thumbnail.substr(0, jpeg.size() / 2), PayloadKind::Jpeg));
}

TEST(PictureDecode, DamagedBody_IsAnError) {
  std::string png = test::plain_png(64, 64, 5, 6, 7);
  png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 0x55);
  EXPECT_EQ(decode_error(png), ErrorCode::Corrupt);
}

TEST(PictureDecode, LargeJpeg_ShrinksButKeepsTwiceWhatIsNeeded) {
  const std::string jpeg = test::detailed_jpeg(1600, 1200);
  Picture small = decoded(jpeg, 128);
  EXPECT_EQ(small.width(), 400);  // by 4: 1200 / 8 would leave less than 2 x 128
  EXPECT_EQ(small.height(), 300);
  Picture whole = decoded(jpeg, 1000);
  EXPECT_EQ(whole.width(), 1600);
}

TEST(PictureDecode, PictureMemory_IsReusedAndGivenBackWhenUnusuallyLarge) {
  Picture picture;
  ASSERT_TRUE(decode_picture(test::plain_png(100, 100, 1, 1, 1), 0, picture).has_value());
  const std::uint8_t* first = picture.pixels().data();
  picture.trim();
  ASSERT_TRUE(decode_picture(test::plain_png(50, 50, 1, 1, 1), 0, picture).has_value());
  EXPECT_EQ(picture.pixels().data(), first);
  picture.resize(3000, 3000);
  picture.trim();
  EXPECT_EQ(picture.pixels().data(), nullptr);
}

}  // namespace
}  // namespace juggler
