// Twins: time, energy and labels from files, payloads checked as a board would. And the no-op
// engine.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/profile_point.h"
#include "files/sha256.h"
#include "inference/local_device.h"
#include "inference/noop_engine.h"
#include "inference/twin_engine.h"
#include "inference_pictures.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

EnergyFigure energy(std::int64_t value) {
  return {{value}, {value / 2}, {value * 2}, Evidence::Derived, PowerScope::ModuleRail};
}

Profile profile() {
  Profile made;
  made.variant = "tiny-fp32";
  made.points = {{1, Micros{10'000}, Micros{13'000}, energy(100)},
                 {4, Micros{22'000}, Micros{25'000}, energy(340)}};
  made.load = {500'000};
  return made;
}

EngineInput picture_input(std::string bytes, PayloadKind kind = PayloadKind::Png) {
  EngineInput input;
  input.payload.kind = kind;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(std::move(bytes));
  return input;
}

// A twin that does not sleep.
std::unique_ptr<InferenceEngine> twin(std::shared_ptr<const TwinLabels> labels = nullptr,
                                      std::uint64_t seed = 1, SteadyTime* woken = nullptr) {
  TwinEngineOptions options;
  options.processor.id = "gpu0";
  options.processor.profiles = {profile()};
  options.catalogue = *Catalogue::parse(test::tiny_catalogue(), "/models");
  options.labels = std::move(labels);
  options.seed = seed;
  options.sleep_until = [woken](SteadyTime until) {
    if (woken != nullptr) {
      *woken = until;
    }
  };
  std::unique_ptr<InferenceEngine> engine = make_twin_engine(std::move(options));
  EXPECT_TRUE(engine->load("tiny-fp32").has_value());
  return engine;
}

TEST(Twin, BatchBetweenPoints_OnTheLine) {
  const ProfilePoint point = point_at(profile(), 2);
  EXPECT_EQ(point.latency_mean, Micros{14'000});
  EXPECT_EQ(point.latency_p95, Micros{17'000});
  ASSERT_TRUE(point.energy.has_value());
  EXPECT_EQ(point.energy->value, Microjoules{180});
  EXPECT_EQ(point.energy->scope, PowerScope::ModuleRail);
}

TEST(Twin, BatchBeyondTheLastPoint_InProportion) {
  const ProfilePoint point = point_at(profile(), 6);
  EXPECT_EQ(point.latency_mean, Micros{33'000});
  EXPECT_EQ(point.energy->value, Microjoules{510});
}

TEST(Twin, ManyRuns_HaveTheProfilesMeanAndP95) {
  const auto engine = twin();
  const std::vector<EngineInput> inputs{picture_input(test::plain_png(2, 2, 1, 2, 3))};
  std::vector<std::int64_t> times;
  double total = 0.0;
  for (int i = 0; i < 4000; ++i) {
    times.push_back(engine->run("tiny-fp32", inputs).compute.count);
    total += static_cast<double>(times.back());
  }
  std::sort(times.begin(), times.end());
  EXPECT_NEAR(total / 4000.0, 10'000.0, 150.0);
  EXPECT_NEAR(static_cast<double>(times[3800]), 13'000.0, 300.0);
}

TEST(Twin, SameSeed_SameTimes) {
  const std::vector<EngineInput> inputs{picture_input(test::plain_png(2, 2, 1, 2, 3))};
  const auto first = twin(nullptr, 7);
  const auto again = twin(nullptr, 7);
  const auto other = twin(nullptr, 8);
  const Micros time = first->run("tiny-fp32", inputs).compute;
  EXPECT_EQ(again->run("tiny-fp32", inputs).compute, time);
  EXPECT_NE(other->run("tiny-fp32", inputs).compute, time);
}

TEST(Twin, Run_SleepsForTheTimeThatItReports) {
  SteadyTime woken;
  const auto engine = twin(nullptr, 1, &woken);
  const std::vector<EngineInput> inputs{picture_input(test::plain_png(2, 2, 1, 2, 3))};
  const SteadyTime before = std::chrono::steady_clock::now();
  const BatchReport report = engine->run("tiny-fp32", inputs);
  const SteadyTime after = std::chrono::steady_clock::now();
  EXPECT_GE(woken, before + std::chrono::microseconds(report.compute.count));
  EXPECT_LE(woken, after + std::chrono::microseconds(report.compute.count));
  EXPECT_EQ(report.energy, energy(100));
}

TEST(Twin, BadPayload_FailsAloneAndTakesNoTime) {
  const auto engine = twin();
  const std::vector<EngineInput> inputs{picture_input("junk"),
                                        picture_input(test::plain_png(2, 2, 1, 2, 3)),
                                        picture_input("x", PayloadKind::Opaque)};
  const BatchReport report = engine->run("tiny-fp32", inputs);
  ASSERT_EQ(report.outputs.size(), 3U);
  EXPECT_EQ(report.outputs[0].status, AttemptStatus::BadPayload);
  EXPECT_EQ(report.outputs[1].status, AttemptStatus::Ok);
  EXPECT_EQ(report.outputs[2].status, AttemptStatus::BadPayload);
  EXPECT_EQ(report.energy, energy(100));  // of one picture
  const BatchReport none = engine->run("tiny-fp32", std::span(inputs).first(1));
  EXPECT_EQ(none.compute, Micros{0});
  EXPECT_FALSE(none.energy.has_value());
}

TEST(Twin, TruncatedPicture_IsRefusedAsABoardWouldRefuseIt) {
  const auto engine = twin();
  const std::string jpeg = test::detailed_jpeg(64, 64);
  const std::string png = test::plain_png(64, 64, 1, 2, 3);
  const std::vector<EngineInput> inputs{
      picture_input(jpeg, PayloadKind::Jpeg),
      picture_input(jpeg.substr(0, jpeg.size() / 2), PayloadKind::Jpeg),
      picture_input(png.substr(0, png.size() - 6))};
  const BatchReport report = engine->run("tiny-fp32", inputs);
  EXPECT_EQ(report.outputs[0].status, AttemptStatus::Ok);
  EXPECT_EQ(report.outputs[1].status, AttemptStatus::BadPayload);
  EXPECT_EQ(report.outputs[1].reason, "JPEG cannot be decoded: truncated");
  EXPECT_EQ(report.outputs[2].status, AttemptStatus::BadPayload);
}

TEST(Twin, TensorOfAnotherSize_IsABadPayload) {
  const auto engine = twin();
  const std::vector<EngineInput> inputs{
      picture_input(std::string(100, '\0'), PayloadKind::FloatTensor)};
  EXPECT_EQ(engine->run("tiny-fp32", inputs).outputs[0].status, AttemptStatus::BadPayload);
}

TEST(Twin, KnownPicture_GetsItsLabelsUpToTopK) {
  const std::string known = test::plain_png(2, 2, 1, 2, 3);
  auto labels = std::make_shared<TwinLabels>();
  labels->set(sha256_hex(known), "tiny-fp32", {"", {{2, "blue", 0.7}, {0, "red", 0.2}}});
  const auto engine = twin(labels);
  std::vector<EngineInput> inputs{picture_input(known),
                                  picture_input(test::plain_png(2, 2, 9, 9, 9))};
  inputs[0].top_k = 1;
  const BatchReport report = engine->run("tiny-fp32", inputs);
  ASSERT_EQ(report.outputs[0].labels.size(), 1U);
  EXPECT_EQ(report.outputs[0].labels[0].name, "blue");
  EXPECT_EQ(report.outputs[1].status, AttemptStatus::Ok);
  EXPECT_TRUE(report.outputs[1].labels.empty());
}

TEST(Twin, UnknownVariant_DoesNotLoad) {
  const auto engine = twin();
  const Result<void> result = engine->load("other-fp32");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
}

TEST(TwinLabels, SavedAndLoaded_IsTheSame) {
  const test::TempFolder folder;
  TwinLabels labels;
  labels.set(std::string(64, 'a'), "v", {"m", {{281, "tabby, \"tabby cat\"", 0.625}}});
  ASSERT_TRUE(labels.save(folder.path() / "labels.jsonl").has_value());
  const Result<TwinLabels> loaded = TwinLabels::load(folder.path() / "labels.jsonl");
  ASSERT_TRUE(loaded.has_value());
  const TwinLabels::Entry* entry = loaded->find(std::string(64, 'a'), "v");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->labels, (std::vector<Label>{{281, "tabby, \"tabby cat\"", 0.625}}));
  EXPECT_EQ(entry->model_sha256, "m");
}

TEST(TwinLabels, BrokenLine_IsNamed) {
  const Result<TwinLabels> labels = TwinLabels::parse("\n{\"payload_sha256\": 5}\n", "l.jsonl");
  ASSERT_FALSE(labels.has_value());
  EXPECT_EQ(labels.error().message.substr(0, 10), "l.jsonl:2:");
}

TEST(TwinDevice, FromACheckoutsProfile_HasWhatTheCatalogueDescribes) {
  const test::TempFolder home;
  test::make_tiny_home(home.path());
  test::write_file(home.path() / "profiles/some-board.toml", R"(
format = 1
board = "some-board"
title = "Some board"
memory_bytes = 1000000
[[processor]]
id = "gpu0"
kind = "gpu"
runtime = "TensorRT"
window_batches = 2
batch_max = 1
[[processor.profile]]
variant = "tiny-fp16"
batch = 1
latency_us_mean = 1000
latency_us_p95 = 1100
kind = "published"
source = "paper"
[[processor.profile]]
variant = "huge-fp16"
batch = 1
latency_us_mean = 1000
latency_us_p95 = 1100
kind = "published"
source = "paper"
)");
  TwinDeviceOptions options;
  options.home = home.path();
  options.identity = {"twin-1", 42};
  options.board = "some-board";
  const Result<LocalDevice> device = open_twin_device(options);
  ASSERT_TRUE(device.has_value()) << device.error().message;
  EXPECT_TRUE(device->facts.twin);
  EXPECT_EQ(device->facts.incarnation, 42);
  ASSERT_EQ(device->facts.variants.size(), 1U);
  EXPECT_EQ(device->facts.variants[0].id, "tiny-fp16");
  ASSERT_EQ(device->facts.processors[0].profiles.size(), 1U);
  EXPECT_EQ(device->notes.size(), 1U);
  EXPECT_TRUE(device->engines.at("gpu0")->load("tiny-fp16").has_value());
}

TEST(Noop, AnswersWithThePayloadsHash) {
  const auto engine = make_noop_engine();
  ASSERT_TRUE(engine->load(kNoopVariant).has_value());
  const std::vector<EngineInput> inputs{picture_input("abc", PayloadKind::Opaque)};
  const BatchReport report = engine->run(kNoopVariant, inputs);
  ASSERT_EQ(report.outputs[0].labels.size(), 1U);
  EXPECT_EQ(report.outputs[0].labels[0].name, "ba7816bf8f01cfea");
  EXPECT_EQ(report.outputs[0].labels[0].score, 1.0);
}

TEST(Noop, DeviceIsValidAndAnsweredByNameAlone) {
  const Result<LocalDevice> device = open_noop_device({{"noop-1", 1}, 4, 1});
  ASSERT_TRUE(device.has_value()) << device.error().message;
  const Variant& variant = device->facts.variants.front();
  EXPECT_TRUE(names_directly(variant, "noop"));
  EXPECT_EQ(variant.weights, Weights::Synthetic);
}

}  // namespace
}  // namespace juggler
