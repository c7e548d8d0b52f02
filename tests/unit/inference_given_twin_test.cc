// Twins whose figures come in a file, as `juggler bench` starts them; and pictures of a given size.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "inference/given_twin.h"
#include "inference/image.h"
#include "inference/sized_picture.h"
#include "support/builders.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

using test::DeviceBuilder;
using test::variant;

GivenTwin twin() {
  GivenTwin made;
  made.announced = DeviceBuilder("pi-1")
                       .serves(variant("n-fp32"), milliseconds(10), test::energy_mj(20.0))
                       .point(4, milliseconds(24), test::energy_mj(50.0))
                       .build();
  made.announced.memory = mebibytes(512);
  made.announced.twin = true;
  made.truth = made.announced;
  for (ProfilePoint& point : made.truth.processors[0].profiles[0].points) {
    point.latency_mean = point.latency_mean * 2;
    point.latency_p95 = point.latency_p95 * 2;
  }
  made.noise = 0.0;
  return made;
}

class Files : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const std::filesystem::path file = folder_.path() / "twin.json";
    std::ofstream(file) << text;
    return file;
  }
  test::TempFolder folder_;
};

TEST_F(Files, GivenTwin_WrittenAndRead_IsTheSame) {
  const GivenTwin given = twin();
  const Result<GivenTwin> read = read_given_twin(write(given_twin_text(given)));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->announced, given.announced);
  EXPECT_EQ(read->truth, given.truth);
  EXPECT_EQ(read->noise, 0.0);
}

TEST_F(Files, GivenTwin_FilesThatAreNone_AreRefusedByName) {
  EXPECT_FALSE(read_given_twin(folder_.path() / "absent.json").has_value());
  for (const char* text : {"", "[]", "{}", "{\"announced\": {}, \"truth\": {}, \"noise\": 1}"}) {
    const Result<GivenTwin> read = read_given_twin(write(text));
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_NE(read.error().message.find("twin.json"), std::string::npos) << read.error().message;
  }
  std::string text = given_twin_text(twin());
  text.replace(text.find("\"noise\": 0.0"), 12, "\"noise\": -1");
  EXPECT_FALSE(read_given_twin(write(text)).has_value());
}

TEST(GivenTwin, Opened_AnnouncesTheOneAndTakesTheTimeOfTheOther) {
  Result<LocalDevice> device = open_given_twin(twin(), {"pi-7", 42}, 1);
  ASSERT_TRUE(device.has_value()) << device.error().message;
  EXPECT_EQ(device->facts.id, "pi-7");
  EXPECT_EQ(device->facts.incarnation, 42);
  EXPECT_EQ(device->facts.processors[0].profiles[0].points[0].latency_mean, milliseconds(10));
  EXPECT_EQ(device->memory_free, mebibytes(512));
  InferenceEngine& engine = *device->engines.at("cpu0");
  ASSERT_TRUE(engine.load("n-fp32").has_value());
  EngineInput input;
  input.payload.kind = PayloadKind::Jpeg;
  input.bytes = wire::make_body(sized_picture({2'000}));
  input.payload.size = {2'000};
  const BatchReport report = engine.run("n-fp32", std::vector<EngineInput>{input});
  EXPECT_EQ(report.outputs.at(0).status, AttemptStatus::Ok);
  EXPECT_EQ(report.compute, milliseconds(20));  // without noise, the true mean
}

TEST(GivenTwin, TruthOfAnotherShape_IsRefused) {
  GivenTwin other = twin();
  other.truth.processors[0].id = "gpu0";
  const Result<LocalDevice> device = open_given_twin(other, {"pi-1", 1}, 1);
  ASSERT_FALSE(device.has_value());
  EXPECT_EQ(device.error().code, ErrorCode::InvalidArgument);
}

TEST(SizedPicture, EverySize_IsAWholePictureOfThatSize) {
  for (const std::int64_t size : {1'024, 1'025, 1'026, 1'027, 1'028, 1'029, 15'000, 65'536, 65'537,
                                  66'400, 131'072, 200'001}) {
    const std::string picture = sized_picture({size});
    EXPECT_EQ(static_cast<std::int64_t>(picture.size()), size);
    const Result<ImageHeader> header = read_header(picture);
    ASSERT_TRUE(header.has_value()) << size << ": " << header.error().message;
    EXPECT_EQ(header->width, 256);
    EXPECT_TRUE(check_end(picture, PayloadKind::Jpeg).has_value()) << size;
    Picture decoded;
    EXPECT_TRUE(decode_picture(picture, 0, decoded).has_value()) << size;
  }
}

}  // namespace
}  // namespace juggler
