// The CUDA lane on a real graphics card: skipped where the ONNX Runtime that is loaded has no CUDA
// (ORT_LIBRARY names one that has) or there is no card. See docs/engines.md.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "inference/lane.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference_pictures.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

EngineInput picture(std::string bytes) {
  EngineInput input;
  input.payload.kind = PayloadKind::Png;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(std::move(bytes));
  input.top_k = 5;
  return input;
}

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CudaLaneTest : public testing::Test {
 protected:
  void SetUp() override {
    const Result<OnnxRuntime> runtime = load_onnx_runtime(test::checkout_home());
    if (!runtime) {
      GTEST_SKIP() << runtime.error().message;
    }
    const Result<std::vector<LaneSpec>> lanes = lanes_of_machine(test::checkout_home());
    for (const LaneSpec& lane : *lanes) {
      if (lane.engine == LaneEngine::Cuda) {
        cuda_ = lane;
      }
    }
    if (cuda_.engine != LaneEngine::Cuda) {
      GTEST_SKIP() << "ONNX Runtime " << runtime->version << " has no CUDA";
    }
  }

  static std::unique_ptr<InferenceEngine> engine(const LaneSpec& lane, const Catalogue& catalogue) {
    OnnxEngineOptions options;
    options.home = test::checkout_home();
    options.lane = lane;
    auto made = make_onnx_engine(catalogue, options);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }

  LaneSpec cuda_;
};

// With the checkout's catalogue and photographs.
class CudaPhotographsTest : public CudaLaneTest {
 protected:
  void SetUp() override {
    CudaLaneTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    catalogue_ = Catalogue::load(test::checkout_home());
    for (const char* name : {"chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"}) {
      std::string bytes = read_whole(test::checkout_home() / "photos" / name);
      if (!bytes.empty()) {
        photographs_.push_back(picture(std::move(bytes)));
      }
    }
    if (!catalogue_ || photographs_.size() < 2) {
      GTEST_SKIP() << "no models or photographs in this checkout: `make test` fetches them";
    }
  }

  std::unique_ptr<InferenceEngine> card_with(const std::string& variant) {
    auto made = engine(cuda_, *catalogue_);
    const Result<void> loaded = made->load(variant);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    return made;
  }

  Result<Catalogue> catalogue_ = fail(ErrorCode::NotFound, "not loaded");
  std::vector<EngineInput> photographs_;
};

TEST_F(CudaLaneTest, TinyNetwork_GivesWhatTheCpuGives) {
  test::TempFolder home;
  test::make_tiny_home(home.path());
  auto gpu = engine(cuda_, *Catalogue::load(home.path()));
  const Result<void> loaded = gpu->load("tiny-fp32");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  const BatchReport report =
      gpu->run("tiny-fp32", std::vector{picture(test::plain_png(20, 10, 0, 255, 0))});
  ASSERT_EQ(report.outputs[0].status, AttemptStatus::Ok) << report.outputs[0].reason;
  EXPECT_EQ(report.outputs[0].labels[0].name, "green");
  EXPECT_NEAR(report.outputs[0].labels[0].score, std::exp(1.0) / (std::exp(1.0) + 2.0), 1e-4);
  EXPECT_FALSE(report.outputs[0].synthetic_labels);
}

// fp32 runs in TF32 on cards from Ampere on (10 bits of mantissa), fp16 in fp16.
TEST_F(CudaPhotographsTest, EveryVariant_GivesTheCpusLabels) {
  auto cpu = engine({}, *catalogue_);
  auto gpu = engine(cuda_, *catalogue_);
  int tried = 0;
  for (const CatalogueVariant& entry : catalogue_->variants()) {
    const std::string& id = entry.variant.id;
    if (entry.variant.precision == "int8" || !std::filesystem::exists(entry.file)) {
      continue;
    }
    SCOPED_TRACE(id);
    ASSERT_TRUE(cpu->load(id).has_value());
    const Result<void> loaded = gpu->load(id);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    const BatchReport wanted = cpu->run(id, photographs_);
    const BatchReport given = gpu->run(id, photographs_);
    for (std::size_t i = 0; i < photographs_.size(); ++i) {
      ASSERT_EQ(given.outputs[i].status, AttemptStatus::Ok) << given.outputs[i].reason;
      ASSERT_EQ(wanted.outputs[i].status, AttemptStatus::Ok);
      std::map<int, double> scores;
      for (const Label& label : given.outputs[i].labels) {
        scores[label.index] = label.score;
      }
      const Label& first = wanted.outputs[i].labels.at(0);
      EXPECT_NEAR(scores[first.index], first.score, 0.02) << "picture " << i;
    }
    cpu->unload(id);
    gpu->unload(id);
    ++tried;
  }
  EXPECT_GT(tried, 0);
  std::printf("%d variants compared\n", tried);
}

TEST_F(CudaPhotographsTest, BatchOfMany_IsEachAlone) {
  const std::string id = "efficientnet_lite0-fp16";
  auto gpu = card_with(id);
  std::vector<EngineInput> many;
  for (std::size_t i = 0; i < 8; ++i) {
    many.push_back(photographs_[i % photographs_.size()]);
  }
  for (const std::size_t size : {8U, 1U, 3U, 2U}) {  // shapes change in any order
    const BatchReport batch = gpu->run(id, std::span(many).first(size));
    for (std::size_t i = 0; i < size; ++i) {
      const BatchReport alone = gpu->run(id, std::span(many).subspan(i, 1));
      ASSERT_EQ(batch.outputs[i].status, AttemptStatus::Ok) << batch.outputs[i].reason;
      EXPECT_EQ(batch.outputs[i].labels[0].index, alone.outputs[0].labels[0].index);
      EXPECT_NEAR(batch.outputs[i].labels[0].score, alone.outputs[0].labels[0].score, 0.01);
    }
  }
}

// cuDNN plans each layer anew for a batch of another size than the one before, which takes 0.1 to
// 1 s: loading has done that for every size, and no batch pays for it.
TEST_F(CudaPhotographsTest, SizesInAnyOrder_ArePlannedWhenLoading) {
  const std::string id = "efficientnet_lite0-fp16";
  auto gpu = card_with(id);
  std::map<std::size_t, std::int64_t> first;
  std::map<std::size_t, std::int64_t> least;
  for (int round = 0; round < 4; ++round) {
    for (const std::size_t size : {8U, 1U, 5U, 3U, 2U, 7U, 4U, 6U}) {
      const std::vector<EngineInput> many(size, photographs_[0]);
      const std::int64_t took = gpu->run(id, many).compute.count;
      first.try_emplace(size, took);
      const auto known = least.try_emplace(size, took).first;
      known->second = std::min(known->second, took);
    }
  }
  for (const auto& [size, took] : first) {
    std::printf("batch %zu: first %ld us, least %ld us\n", size, static_cast<long>(took),
                static_cast<long>(least[size]));
    EXPECT_LT(took, 2 * least[size] + 50'000) << "batch " << size;
  }
}

// What the consumer's falling back to another processor hangs on: that the code says memory.
TEST_F(CudaPhotographsTest, ArenaThatIsTooSmall_IsRefusedForItsMemory_AndTheCardGoesOn) {
  const std::string id = "efficientnet_lite0-fp32";
  LaneSpec small = cuda_;
  small.memory_max = Bytes{8 << 20};
  auto gpu = engine(small, *catalogue_);
  const Result<void> loaded = gpu->load(id);
  if (!loaded.has_value()) {
    EXPECT_EQ(loaded.error().code, ErrorCode::TooLarge) << loaded.error().message;
  } else {
    const BatchReport report = gpu->run(id, photographs_);
    EXPECT_EQ(report.outputs[0].status, AttemptStatus::Error);
    EXPECT_EQ(report.failure, EngineFailure::OutOfMemory) << report.outputs[0].reason;
  }
  EXPECT_EQ(card_with(id)->run(id, photographs_).outputs[0].status, AttemptStatus::Ok);
}

TEST_F(CudaLaneTest, CardThatIsNotThere_DoesNotLoadAndSaysWhy) {
  test::TempFolder home;
  test::make_tiny_home(home.path());
  LaneSpec other = cuda_;
  other.gpu = 63;
  auto gpu = engine(other, *Catalogue::load(home.path()));
  const Result<void> loaded = gpu->load("tiny-fp32");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().message.find("tiny-fp32"), std::string::npos);
  std::printf("%s\n", loaded.error().message.c_str());
}

}  // namespace
}  // namespace juggler
