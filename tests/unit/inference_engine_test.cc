// The ONNX Runtime engine: on a tiny network for everything that can go wrong, and on the
// checkout's trained networks for right answers on photographs.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "inference/machine_device.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/twin_labels.h"
#include "inference_pictures.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

EngineInput input_of(std::string bytes, PayloadKind kind) {
  EngineInput input;
  input.payload.kind = kind;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(std::move(bytes));
  input.top_k = 3;
  return input;
}

EngineInput raw_input(int width, int height, std::uint8_t red, std::uint8_t green) {
  std::string bytes;
  for (int i = 0; i < width * height; ++i) {
    bytes += {static_cast<char>(red), static_cast<char>(green), '\0'};
  }
  EngineInput input = input_of(std::move(bytes), PayloadKind::RawRgb);
  input.payload.width = width;
  input.payload.height = height;
  return input;
}

EngineInput tensor_input(float value) {
  const std::vector<float> floats(std::size_t{3} * 8 * 8, value);
  return input_of({reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)},
                  PayloadKind::FloatTensor);
}

// The tiny network's engine, or a skipped test where this machine has no ONNX Runtime.
class OnnxEngineTest : public testing::Test {
 protected:
  void SetUp() override {
    const Result<OnnxRuntime> runtime = load_onnx_runtime(test::checkout_home());
    if (!runtime) {
      GTEST_SKIP() << runtime.error().message;
    }
    test::make_tiny_home(home_.path());
    OnnxEngineOptions options;
    options.home = test::checkout_home();
    options.busy = BusyPower{{10'000}, {5'000}, {20'000}, Evidence::Assumed, PowerScope::Package};
    auto engine = make_onnx_engine(*Catalogue::load(home_.path()), options);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    engine_ = std::move(*engine);
  }

  std::vector<EngineOutput> run(const std::vector<EngineInput>& inputs) {
    EXPECT_TRUE(engine_->load("tiny-fp32").has_value());
    report_ = engine_->run("tiny-fp32", inputs);
    return report_.outputs;
  }

  test::TempFolder home_;
  std::unique_ptr<InferenceEngine> engine_;
  BatchReport report_;
};

TEST_F(OnnxEngineTest, Picture_LabelsWithProbabilities) {
  const auto outputs = run({input_of(test::plain_png(20, 10, 0, 255, 0), PayloadKind::Png)});
  ASSERT_EQ(outputs[0].status, AttemptStatus::Ok) << outputs[0].reason;
  ASSERT_EQ(outputs[0].labels.size(), 3U);
  EXPECT_EQ(outputs[0].labels[0].name, "green");
  EXPECT_EQ(outputs[0].labels[0].index, 1);
  EXPECT_NEAR(outputs[0].labels[0].score, std::exp(1.0) / (std::exp(1.0) + 2.0), 1e-5);
  EXPECT_EQ(outputs[0].labels[1].name, "red");  // equal scores: by index
  EXPECT_FALSE(outputs[0].synthetic_labels);
}

TEST_F(OnnxEngineTest, Energy_IsPowerTimesTime) {
  run({input_of(test::plain_png(20, 10, 0, 255, 0), PayloadKind::Png)});
  ASSERT_TRUE(report_.energy.has_value());
  EXPECT_EQ(report_.energy->value.count, report_.compute.count * 10);
  EXPECT_EQ(report_.energy->high.count, report_.compute.count * 20);
  EXPECT_EQ(report_.energy->evidence, Evidence::Assumed);
}

TEST_F(OnnxEngineTest, MixedBatch_BadOnesFailAlone) {
  const auto outputs =
      run({input_of("not a picture", PayloadKind::Jpeg),
           input_of(test::plain_png(9, 9, 255, 0, 0), PayloadKind::Png),
           input_of(test::plain_png(9, 9, 1, 1, 1).substr(0, 60), PayloadKind::Png),
           raw_input(5, 4, 0, 200), input_of("", PayloadKind::Png), tensor_input(0.5F),
           input_of("x", PayloadKind::Opaque)});
  ASSERT_EQ(outputs.size(), 7U);
  const AttemptStatus bad = AttemptStatus::BadPayload;
  const AttemptStatus ok = AttemptStatus::Ok;
  const std::vector<AttemptStatus> wanted{bad, ok, bad, ok, bad, ok, bad};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(outputs[i].status, wanted[i]) << i << outputs[i].reason;
    EXPECT_EQ(outputs[i].reason.empty(), wanted[i] == ok) << i;
  }
  EXPECT_EQ(outputs[1].labels[0].name, "red");
  EXPECT_EQ(outputs[3].labels[0].name, "green");
}

TEST_F(OnnxEngineTest, JpegSaidToBePng_IsReadForWhatItIs) {
  const auto outputs = run({input_of(test::detailed_jpeg(30, 30), PayloadKind::Png)});
  EXPECT_EQ(outputs[0].status, AttemptStatus::Ok);
}

TEST_F(OnnxEngineTest, RawPixelsOfAnotherSize_AreRefused) {
  EngineInput input = raw_input(5, 4, 0, 0);
  input.payload.width = 6;
  EXPECT_EQ(run({input})[0].status, AttemptStatus::BadPayload);
  input.payload.width = -5;
  EXPECT_EQ(run({input})[0].status, AttemptStatus::BadPayload);
  input.payload.width = 2'000'000'000;
  EXPECT_EQ(run({input})[0].status, AttemptStatus::BadPayload);
}

TEST_F(OnnxEngineTest, TensorWithNaN_IsABadPayload) {
  EXPECT_EQ(run({tensor_input(NAN)})[0].status, AttemptStatus::BadPayload);
  EXPECT_EQ(run({input_of("abcd", PayloadKind::FloatTensor)})[0].status, AttemptStatus::BadPayload);
}

TEST_F(OnnxEngineTest, UnknownVariant_DoesNotLoad) {
  EXPECT_EQ(engine_->load("other-fp32").error().code, ErrorCode::NotFound);
}

TEST_F(OnnxEngineTest, FileThatIsNoNetwork_DoesNotLoadAndSaysWhy) {
  const std::string junk = "this is not a network";
  std::string catalogue = test::tiny_catalogue();
  const std::size_t from = catalogue.find("sha256");
  catalogue.replace(from, catalogue.find("weights") - from,
                    "sha256 = \"" + sha256_hex(junk) + "\"\nsize_bytes = 21\n");
  test::write_file(home_.path() / "models/tiny.onnx", junk);
  test::write_file(home_.path() / "models/catalogue.toml", catalogue);
  OnnxEngineOptions options;
  options.home = test::checkout_home();
  auto engine = make_onnx_engine(*Catalogue::load(home_.path()), options);
  const Result<void> result = (*engine)->load("tiny-fp32");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("cannot load"), std::string::npos);
}

TEST_F(OnnxEngineTest, CatalogueWithAnotherInput_DoesNotLoad) {
  std::string catalogue = test::tiny_catalogue();
  catalogue.replace(catalogue.find("width = 8"), 9, "width = 7");
  test::write_file(home_.path() / "models/catalogue.toml", catalogue);
  OnnxEngineOptions options;
  options.home = test::checkout_home();
  auto engine = make_onnx_engine(*Catalogue::load(home_.path()), options);
  const Result<void> result = (*engine)->load("tiny-fp32");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("does not fit the catalogue"), std::string::npos);
}

TEST_F(OnnxEngineTest, AnotherNumberOfLabels_DoesNotLoad) {
  test::write_file(home_.path() / "models/colours.txt", "red\ngreen\n");
  const Result<void> result = engine_->load("tiny-fp32");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("3 classes"), std::string::npos);
}

// A home with the tiny network and the checkout's ONNX Runtime.
MachineDeviceOptions device_options(const std::filesystem::path& home) {
  std::filesystem::create_directory_symlink(
      std::filesystem::absolute(test::checkout_home() / "onnxruntime"), home / "onnxruntime");
  MachineDeviceOptions options;
  options.home = home;
  options.identity = {"here", 7};
  options.calibration_budget = seconds(5);
  return options;
}

TEST_F(OnnxEngineTest, Device_CalibratesOnceAndKeepsIt) {
  MachineDeviceOptions options = device_options(home_.path());
  const Result<LocalDevice> first = open_machine_device(options);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_EQ(first->facts.processors.size(), 1U);
  const Profile& profile = first->facts.processors[0].profiles.at(0);
  EXPECT_EQ(profile.evidence, Evidence::Measured);
  EXPECT_EQ(profile.points.size(), 3U);  // 1, 2 and 4
  EXPECT_GT(profile.load, Micros{0});
  EXPECT_EQ(first->facts.processors[0].loaded, std::vector<std::string>{profile.variant});

  int measured = 0;
  options.preload = false;
  options.progress = [&](const CalibrationProgress&) { ++measured; };
  const Result<LocalDevice> second = open_machine_device(options);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(measured, 0);
  EXPECT_EQ(second->facts.processors[0].profiles, first->facts.processors[0].profiles);
  EXPECT_TRUE(second->facts.processors[0].loaded.empty());
}

TEST_F(OnnxEngineTest, DeviceOnAnotherMachine_MeasuresAgain) {
  MachineDeviceOptions options = device_options(home_.path());
  ASSERT_TRUE(open_machine_device(options).has_value());
  const std::filesystem::path file = calibration_file(home_.path(), "here");
  Result<Calibration> known = load_calibration(file);
  ASSERT_TRUE(known.has_value());
  known->on.machine = "another processor";
  ASSERT_TRUE(save_calibration(*known, file).has_value());
  ASSERT_TRUE(open_machine_device(options).has_value());
  EXPECT_NE(load_calibration(file)->on.machine, "another processor");
}

TEST_F(OnnxEngineTest, DeviceInAnotherPowerMode_MeasuresAgain) {
  MachineDeviceOptions options = device_options(home_.path());
  int measured = 0;
  options.progress = [&](const CalibrationProgress&) { ++measured; };
  const auto runs_in = [&](const char* name, std::int64_t id) {
    options.mode.power_mode = name;
    options.mode.power_mode_id = id;
    measured = 0;
    EXPECT_TRUE(open_machine_device(options).has_value());
    return measured > 0;
  };
  EXPECT_TRUE(runs_in("MAXN", 0));
  EXPECT_FALSE(runs_in("MAXN", 0));
  EXPECT_TRUE(runs_in("15W", 1)) << "what was measured in MAXN does not hold";
  EXPECT_EQ(load_calibration(calibration_file(home_.path(), "here"))->on.mode.power_mode, "15W");
  EXPECT_FALSE(runs_in("15W", 1));
}

TEST_F(OnnxEngineTest, LabelPictures_ComputesEachOnce) {
  test::write_file(home_.path() / "pictures/red.png", test::plain_png(9, 9, 255, 0, 0));
  test::write_file(home_.path() / "pictures/blue.png", test::plain_png(9, 9, 0, 0, 255));
  test::write_file(home_.path() / "pictures/broken.jpg", "junk");
  LabelJob job;
  job.pictures = {home_.path() / "pictures"};
  job.variants = {"tiny-fp32"};
  job.file = home_.path() / "labels.jsonl";
  const Catalogue catalogue = *Catalogue::load(home_.path());
  const Result<LabelSummary> first = label_pictures(job, catalogue, *engine_, nullptr);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->computed, 2U);
  EXPECT_EQ(first->skipped, 1U);
  job.variants = {"tiny-fp32", "tiny-fp32"};
  const Result<LabelSummary> second = label_pictures(job, catalogue, *engine_, nullptr);
  EXPECT_EQ(second->computed, 0U);
  EXPECT_EQ(second->reused, 4U);
  EXPECT_EQ(second->skipped, 1U) << "a picture is counted once, not by variant";
  const Result<TwinLabels> labels = TwinLabels::load(job.file);
  const TwinLabels::Entry* entry =
      labels->find(sha256_hex(test::plain_png(9, 9, 0, 0, 255)), "tiny-fp32");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->labels[0].name, "blue");
}

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(OnnxEngineTest, TrainedNetworks_NameTheCatAndTheCoffee) {
  const std::filesystem::path home = test::checkout_home();
  const Result<Catalogue> catalogue = Catalogue::load(home);
  const std::string cat = read_whole(home / "photos/chelsea.png");
  const std::string coffee = read_whole(home / "photos/coffee.png");
  if (!catalogue || cat.empty() || coffee.empty()) {
    GTEST_SKIP() << "no models or photographs in this checkout: `make test` fetches them";
  }
  OnnxEngineOptions options;
  options.home = home;
  auto engine = make_onnx_engine(*catalogue, options);
  int tried = 0;
  for (const CatalogueVariant& entry : catalogue->variants()) {
    const std::string& id = entry.variant.id;
    if (entry.variant.weights != Weights::Pretrained || entry.variant.precision == "fp16") {
      continue;
    }
    ASSERT_TRUE((*engine)->load(id).has_value()) << id;
    const std::vector<EngineInput> inputs{input_of(cat, PayloadKind::Png),
                                          input_of(coffee, PayloadKind::Png)};
    const BatchReport report = (*engine)->run(id, inputs);
    ASSERT_EQ(report.outputs[0].status, AttemptStatus::Ok);
    const int animal = report.outputs[0].labels.at(0).index;
    EXPECT_TRUE(animal >= 281 && animal <= 285) << id << " says " << animal;  // domestic cats
    EXPECT_EQ(report.outputs[1].labels.at(0).index, 967) << id;               // espresso
    (*engine)->unload(id);
    ++tried;
  }
  if (tried == 0) {
    GTEST_SKIP() << "the catalogue has no pretrained variant";
  }
}

}  // namespace
}  // namespace juggler
