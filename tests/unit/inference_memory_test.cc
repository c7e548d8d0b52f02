// Memory for networks: who goes when there is no room, what is refused, and that the engine obeys.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "inference/memory_keeper.h"
#include "inference/picture_engine.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

// A device whose networks take what they need of it.
struct FakeDevice {
  Bytes total = mebibytes(500);
  Bytes taken_by_others{};
  std::map<std::string, Bytes> needs;
  std::vector<std::string> loaded;

  Bytes free() const {
    Bytes left = total - taken_by_others;
    for (const std::string& variant : loaded) {
      left = left - needs.at(variant);
    }
    return left;
  }
  MemoryRules rules() {
    return {[this] { return free(); },
            [this](const std::string& variant) { return needs.at(variant); }, mebibytes(50)};
  }
  MemoryKeeper keeper() {
    return {rules(), [this](const std::string& variant) { std::erase(loaded, variant); }};
  }
};

Result<void> load(FakeDevice& device, MemoryKeeper& keeper, const std::string& variant) {
  Result<void> room = keeper.make_room(variant);
  if (room) {
    device.loaded.push_back(variant);
    keeper.used(variant);
  }
  return room;
}

TEST(MemoryKeeper, LeastRecentlyUsed_MakesRoom) {
  FakeDevice device;
  device.needs = {{"a", mebibytes(150)}, {"b", mebibytes(150)}, {"c", mebibytes(200)}};
  MemoryKeeper keeper = device.keeper();
  ASSERT_TRUE(load(device, keeper, "a").has_value());
  ASSERT_TRUE(load(device, keeper, "b").has_value());
  keeper.used("a");  // so that b is the one that nobody wanted last
  ASSERT_TRUE(load(device, keeper, "c").has_value());
  EXPECT_EQ(device.loaded, (std::vector<std::string>{"a", "c"}));
}

TEST(MemoryKeeper, WhatDoesNotFitAlone_IsRefusedWithTheNumbers) {
  FakeDevice device;
  device.needs = {{"a", mebibytes(100)}, {"huge", mebibytes(460)}};
  MemoryKeeper keeper = device.keeper();
  ASSERT_TRUE(load(device, keeper, "a").has_value());
  const Result<void> refused = load(device, keeper, "huge");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::TooLarge);
  EXPECT_NE(refused.error().message.find("huge needs 482 MB"), std::string::npos)
      << refused.error().message;
  ASSERT_TRUE(load(device, keeper, "a").has_value()) << "the device goes on with what fits";
}

TEST(MemoryKeeper, Pressure_UnloadsOneAtATimeAndKeepsTheLast) {
  FakeDevice device;
  device.needs = {{"a", mebibytes(100)}, {"b", mebibytes(100)}, {"c", mebibytes(100)}};
  MemoryKeeper keeper = device.keeper();
  for (const char* variant : {"a", "b", "c"}) {
    ASSERT_TRUE(load(device, keeper, variant).has_value());
  }
  EXPECT_FALSE(keeper.relieve()) << "200 MB are free";
  device.taken_by_others = mebibytes(190);
  EXPECT_TRUE(keeper.relieve());
  EXPECT_EQ(device.loaded, (std::vector<std::string>{"b", "c"}));
  EXPECT_FALSE(keeper.relieve()) << "there is room again";
  device.taken_by_others = mebibytes(400);
  EXPECT_TRUE(keeper.relieve());
  EXPECT_FALSE(keeper.relieve()) << "the one that was used last stays";
  EXPECT_EQ(device.loaded, std::vector<std::string>{"c"});
}

// Counts how many of its kind are loaded.
class CountedNetwork final : public Network {
 public:
  explicit CountedNetwork(std::vector<std::string>& loaded, std::string variant)
      : loaded_(loaded), variant_(std::move(variant)) {
    loaded_.push_back(variant_);
  }
  ~CountedNetwork() override { std::erase(loaded_, variant_); }
  CountedNetwork(const CountedNetwork&) = delete;
  CountedNetwork& operator=(const CountedNetwork&) = delete;
  int batch_max() const override { return 0; }
  int classes() const override { return 3; }
  bool usable() const override { return true; }
  Result<std::span<const float>> run(std::span<float> /*input*/, int batch) override {
    scores_.assign(static_cast<std::size_t>(batch) * 3, 0.5F);
    return std::span<const float>(scores_);
  }

 private:
  std::vector<std::string>& loaded_;
  std::string variant_;
  std::vector<float> scores_;
};

TEST(PictureEngine, WithMemoryRules_UnloadsAndRefuses) {
  const test::TempFolder home;
  test::make_tiny_home(home.path());
  std::string catalogue = test::tiny_catalogue();
  std::string second = catalogue.substr(catalogue.find("[[variant]]"));
  second.replace(second.find("tiny-fp32"), 9, "tiny-int8");
  second.replace(second.find("\"fp32\""), 6, "\"int8\"");
  FakeDevice device;
  device.total = mebibytes(300);
  device.needs = {{"tiny-fp32", mebibytes(150)}, {"tiny-int8", mebibytes(150)}};
  PictureEngineOptions options;
  options.catalogue = *Catalogue::parse(catalogue + second, home.path() / "models");
  options.load_network =
      [&device](const CatalogueVariant& variant) -> Result<std::unique_ptr<Network>> {
    return std::make_unique<CountedNetwork>(device.loaded, variant.variant.id);
  };
  options.memory = device.rules();
  const auto engine = make_picture_engine(std::move(options));
  ASSERT_TRUE(engine->load("tiny-fp32").has_value());
  ASSERT_TRUE(engine->load("tiny-int8").has_value());
  EXPECT_EQ(device.loaded, std::vector<std::string>{"tiny-int8"});
  EXPECT_EQ(engine->take_unloaded(), std::vector<std::string>{"tiny-fp32"});
  EXPECT_TRUE(engine->take_unloaded().empty()) << "told once";
  device.taken_by_others = mebibytes(200);
  const Result<void> refused = engine->load("tiny-fp32");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("refused"), std::string::npos);
  EXPECT_LT(engine->idle(), InferenceEngine::kIdleNever) << "it looks at memory while idle";
}

}  // namespace
}  // namespace juggler
