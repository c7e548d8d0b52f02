// One network in several batch sizes: which of them runs a batch, and what comes back of it.

#include <gtest/gtest.h>

#include "inference/onnx_runtime.h"
#include "inference/onnx_session.h"
#include "inference/sized_network.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

// Two scores for a picture of three floats: their sum, and the size of its batch.
class FakeNetwork final : public Network {
 public:
  FakeNetwork(int size, bool works) : size_(size), works_(works) {}
  int batch_max() const override { return 0; }
  int classes() const override { return 2; }
  bool usable() const override { return works_; }
  Result<std::span<const float>> run(std::span<float> input, int batch) override {
    EXPECT_EQ(batch, size_);
    EXPECT_EQ(input.size(), static_cast<std::size_t>(batch) * 3);
    if (!works_) {
      return fail(ErrorCode::TooLarge, "no room");
    }
    scores_.clear();
    for (std::size_t at = 0; at < input.size(); at += 3) {
      scores_.push_back(input[at] + input[at + 1] + input[at + 2]);
      scores_.push_back(static_cast<float>(batch));
    }
    return std::span<const float>(scores_);
  }

 private:
  int size_;
  bool works_;
  std::vector<float> scores_;
};

std::unique_ptr<Network> sized(bool largest_works = true) {
  std::vector<SizedPart> parts;
  for (const int size : batch_sizes(6)) {
    parts.push_back({size, std::make_unique<FakeNetwork>(size, size < 6 || largest_works)});
  }
  return make_sized_network(std::move(parts), 3);
}

TEST(SizedNetworkTest, Batch_RunsInTheSmallestThatHoldsIt) {
  EXPECT_EQ(batch_sizes(1), std::vector<int>{1});
  EXPECT_EQ(batch_sizes(8), (std::vector<int>{1, 2, 4, 8}));
  EXPECT_EQ(batch_sizes(6), (std::vector<int>{1, 2, 4, 6}));
  const auto network = sized();
  EXPECT_EQ(network->batch_max(), 6);
  for (const auto& [batch, runs_as] :
       std::vector<std::pair<int, int>>{{6, 6}, {5, 6}, {1, 1}, {3, 4}, {2, 2}, {4, 4}, {5, 6}}) {
    std::vector<float> input;
    for (int i = 0; i < batch; ++i) {
      input.insert(input.end(), {1.0F, 2.0F, static_cast<float>(i)});
    }
    const Result<std::span<const float>> scores = network->run(input, batch);
    ASSERT_TRUE(scores.has_value());
    ASSERT_EQ(scores->size(), static_cast<std::size_t>(batch) * 2);
    for (int i = 0; i < batch; ++i) {
      EXPECT_EQ((*scores)[static_cast<std::size_t>(i) * 2], static_cast<float>(3 + i));
      EXPECT_EQ((*scores)[static_cast<std::size_t>(i) * 2 + 1], static_cast<float>(runs_as));
    }
  }
}

TEST(SizedNetworkTest, FailureOfAPart_IsTheBatchs) {
  const auto network = sized(false);
  EXPECT_FALSE(network->usable());
  std::vector<float> input(15);
  EXPECT_EQ(network->run(input, 5).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(network->run(std::span(input).first(12), 4).has_value());
}

TEST(SizedNetworkTest, SessionOfFixedSize_GivesTheSameScores) {
  const Result<OnnxRuntime> runtime = load_onnx_runtime(test::checkout_home());
  if (!runtime) {
    GTEST_SKIP() << runtime.error().message;
  }
  test::TempFolder home;
  test::make_tiny_home(home.path());
  const CatalogueVariant variant = *Catalogue::load(home.path())->find("tiny-fp32");
  std::vector<SizedPart> parts;
  for (const int size : batch_sizes(4)) {
    SessionOptions options;
    options.fixed_batch = size;
    auto network = open_onnx_session(variant, options);
    ASSERT_TRUE(network.has_value()) << network.error().message;
    parts.push_back({size, std::move(*network)});
  }
  const auto network = make_sized_network(std::move(parts), variant.input.floats());
  std::vector<float> input(variant.input.floats() * 3);
  for (std::size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<float>(i / 64);  // each plane of each picture its own number
  }
  const Result<std::span<const float>> scores = network->run(input, 3);
  ASSERT_TRUE(scores.has_value()) << scores.error().message;
  EXPECT_EQ(std::vector<float>(scores->begin(), scores->end()),
            (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

}  // namespace
}  // namespace juggler
