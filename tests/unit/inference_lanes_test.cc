// Lanes: the file that describes them, and what each execution provider is told. No provider but
// the CPU's runs here: the others are tested up to their options.

#include <gtest/gtest.h>

#include <algorithm>

#include "files/lanes_file.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/provider_options.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

Result<std::vector<LaneSpec>> parse(const std::string& text) {
  return parse_lanes("format = 1\n" + text, "lanes.toml");
}

TEST(LanesFile, EveryEngine_IsRead) {
  const auto lanes = parse(R"(
[[lane]]
processor = "cpu0"
engine = "cpu"
threads = 2
[[lane]]
processor = "cpu0-x"
engine = "xnnpack"
[[lane]]
processor = "gpu0"
engine = "tensorrt"
batch_max = 16
memory_max_mb = 512
[[lane]]
processor = "dla1"
engine = "tensorrt"
dla_core = 1
engine_cache = false
[[lane]]
processor = "gpu1"
engine = "cuda"
gpu = 1
variants = ["resnet50"]
[[lane]]
processor = "torch"
engine = "external"
kind = "gpu"
command = ["python3", "worker.py", "--socket", "{socket}"]
run_max_ms = 1500
)");
  ASSERT_TRUE(lanes.has_value()) << lanes.error().message;
  ASSERT_EQ(lanes->size(), 6U);
  EXPECT_EQ((*lanes)[0].threads, 2);
  EXPECT_EQ((*lanes)[2].kind, ProcessorKind::Gpu);
  EXPECT_EQ((*lanes)[2].memory_max, Bytes{512'000'000});
  EXPECT_EQ((*lanes)[3].kind, ProcessorKind::Dla);
  EXPECT_EQ((*lanes)[3].dla_core, 1);
  EXPECT_FALSE((*lanes)[3].engine_cache);
  EXPECT_EQ((*lanes)[4].gpu, 1);
  EXPECT_EQ((*lanes)[5].kind, ProcessorKind::Gpu);
  EXPECT_EQ((*lanes)[5].external.command.size(), 4U);
  EXPECT_EQ((*lanes)[5].external.run_max, milliseconds(1500));
}

TEST(LanesFile, WhatNobodyUnderstands_IsRefusedByNameAndLine) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "has no [[lane]]"},
      {"[[lane]]\nprocessor = \"cpu0\"\nengine = \"opengl\"\n", "'opengl'"},
      {"[[lane]]\nprocessor = \"CPU 0\"\nengine = \"cpu\"\n", "[a-z0-9-]"},
      {"[[lane]]\nprocessor = \"cpu0\"\nengine = \"cpu\"\ndla_core = 0\n", "dla_core"},
      {"[[lane]]\nprocessor = \"a\"\nengine = \"external\"\n", "kind"},
      {"[[lane]]\nprocessor = \"a\"\nengine = \"cpu\"\n"
       "[[lane]]\nprocessor = \"a\"\nengine = \"cuda\"\n",
       "twice"},
      {"[[lane]]\nprocessor = \"a\"\nengine = \"tensorrt\"\ndla_core = 9\n", "dla_core"}};
  for (const auto& [text, why] : wrong) {
    const auto lanes = parse(text);
    ASSERT_FALSE(lanes.has_value()) << text;
    EXPECT_NE(lanes.error().message.find(why), std::string::npos) << lanes.error().message;
  }
}

CatalogueVariant variant(const std::string& network, const std::string& precision) {
  CatalogueVariant made;
  made.variant.id = network + "-" + precision;
  made.variant.precision = precision;
  made.variant.sha256 = std::string(64, 'a');
  made.input.name = "input";
  made.input.width = 224;
  made.input.height = 224;
  return made;
}

LaneSpec lane(LaneEngine engine) {
  LaneSpec made;
  made.processor = "lane0";
  made.engine = engine;
  return made;
}

std::string option(const ProviderChoice& choice, const std::string& key) {
  const auto at = std::find_if(choice.options.begin(), choice.options.end(),
                               [&](const auto& entry) { return entry.first == key; });
  return at != choice.options.end() ? at->second : "(absent)";
}

const ProviderContext kContext{20, 3, "/home/engines"};

TEST(ProviderOptions, Cpu_NeedsNone) {
  EXPECT_TRUE(provider_choices(lane(LaneEngine::Cpu), variant("n", "fp32"), kContext).empty());
}

TEST(ProviderOptions, Xnnpack_HasItsOwnThreads) {
  const auto choices = provider_choices(lane(LaneEngine::Xnnpack), variant("n", "fp32"), kContext);
  ASSERT_EQ(choices.size(), 1U);
  EXPECT_EQ(choices[0].name, "XNNPACK");
  EXPECT_EQ(option(choices[0], "intra_op_num_threads"), "3");
}

TEST(ProviderOptions, Cuda_IsToldItsGpuAndItsMemory) {
  LaneSpec cuda = lane(LaneEngine::Cuda);
  cuda.gpu = 1;
  cuda.memory_max = mebibytes(256);
  const auto choices = provider_choices(cuda, variant("n", "fp32"), kContext);
  ASSERT_EQ(choices.size(), 1U);
  EXPECT_EQ(choices[0].name, "CUDA");
  EXPECT_EQ(option(choices[0], "device_id"), "1");
  EXPECT_EQ(option(choices[0], "gpu_mem_limit"), "268435456");
  EXPECT_EQ(option(choices[0], "arena_extend_strategy"), "kSameAsRequested");
}

TEST(ProviderOptions, TensorRt_StandsBeforeCudaAndComputesInTheVariantsPrecision) {
  const std::vector<std::array<std::string, 3>> wanted{
      {"fp32", "0", "0"}, {"fp16", "1", "0"}, {"int8", "1", "1"}};
  for (const auto& [precision, fp16, int8] : wanted) {
    const auto choices =
        provider_choices(lane(LaneEngine::TensorRt), variant("n", precision), kContext);
    ASSERT_EQ(choices.size(), 2U);
    EXPECT_EQ(choices[0].name, "TensorRT");
    EXPECT_EQ(choices[1].name, "CUDA");
    EXPECT_EQ(option(choices[0], "trt_fp16_enable"), fp16) << precision;
    EXPECT_EQ(option(choices[0], "trt_int8_enable"), int8) << precision;
    EXPECT_EQ(option(choices[0], "trt_dla_enable"), "0");
    EXPECT_EQ(option(choices[0], "trt_dla_core"), "(absent)");
  }
}

TEST(ProviderOptions, TensorRt_BuildsOneEngineForAllBatchSizes) {
  LaneSpec gpu = lane(LaneEngine::TensorRt);
  gpu.batch_max = 16;
  const auto choices = provider_choices(gpu, variant("n", "fp16"), kContext);
  EXPECT_EQ(option(choices[0], "trt_profile_min_shapes"), "input:1x3x224x224");
  EXPECT_EQ(option(choices[0], "trt_profile_opt_shapes"), "input:16x3x224x224");
  EXPECT_EQ(option(choices[0], "trt_profile_max_shapes"), "input:16x3x224x224");
}

TEST(ProviderOptions, OlderRuntimes_AreNotAskedForWhatTheyDoNotKnow) {
  const auto choices =
      provider_choices(lane(LaneEngine::TensorRt), variant("n", "fp16"), {11, 1, "/home/engines"});
  EXPECT_EQ(option(choices[0], "trt_profile_min_shapes"), "(absent)");
  EXPECT_EQ(option(choices[0], "trt_timing_cache_enable"), "(absent)");
  EXPECT_EQ(option(choices[0], "trt_engine_cache_enable"), "1");
}

TEST(ProviderOptions, DlaCores_HaveFixedShapesAndFoldersOfTheirOwn) {
  LaneSpec dla = lane(LaneEngine::TensorRt);
  dla.dla_core = 1;
  dla.batch_max = 8;
  const CatalogueVariant resnet = variant("resnet50", "fp16");
  const auto choices = provider_choices(dla, resnet, kContext);
  EXPECT_EQ(option(choices[0], "trt_dla_enable"), "1");
  EXPECT_EQ(option(choices[0], "trt_dla_core"), "1");
  EXPECT_EQ(option(choices[0], "trt_profile_max_shapes"), "input:1x3x224x224");
  EXPECT_EQ(lane_batch_max(dla), 1);
  LaneSpec other = dla;
  other.dla_core = 0;
  LaneSpec gpu = dla;
  gpu.dla_core.reset();
  const auto folder = engine_cache_folder(dla, resnet, kContext);
  EXPECT_EQ(option(choices[0], "trt_engine_cache_path"), folder.string());
  EXPECT_NE(folder, engine_cache_folder(other, resnet, kContext));
  EXPECT_NE(folder, engine_cache_folder(gpu, resnet, kContext));
}

TEST(ProviderOptions, CacheFolder_ChangesWithModelRuntimeAndPrecision) {
  const LaneSpec gpu = lane(LaneEngine::TensorRt);
  const auto folder = engine_cache_folder(gpu, variant("n", "fp16"), kContext);
  CatalogueVariant other = variant("n", "fp16");
  other.variant.sha256 = std::string(64, 'b');
  EXPECT_NE(folder, engine_cache_folder(gpu, other, kContext));
  EXPECT_NE(folder, engine_cache_folder(gpu, variant("n", "int8"), kContext));
  EXPECT_NE(folder, engine_cache_folder(gpu, variant("n", "fp16"), {21, 3, "/home/engines"}));
}

TEST(ProviderOptions, WithoutCache_NothingIsKept) {
  LaneSpec gpu = lane(LaneEngine::TensorRt);
  gpu.engine_cache = false;
  const auto choices = provider_choices(gpu, variant("n", "fp16"), kContext);
  EXPECT_EQ(option(choices[0], "trt_engine_cache_enable"), "0");
  EXPECT_EQ(option(choices[0], "trt_engine_cache_path"), "(absent)");
}

TEST(Lanes, ServeThePrecisionsThatTheirProcessorHas) {
  LaneSpec dla = lane(LaneEngine::TensorRt);
  dla.dla_core = 0;
  EXPECT_TRUE(lane_serves(dla, variant("n", "fp16").variant));
  EXPECT_FALSE(lane_serves(dla, variant("n", "fp32").variant));
  EXPECT_FALSE(lane_serves(dla, variant("n", "int8").variant));
  EXPECT_TRUE(lane_serves(lane(LaneEngine::TensorRt), variant("n", "int8").variant));
  EXPECT_FALSE(lane_serves(lane(LaneEngine::Cuda), variant("n", "int8").variant));
}

TEST(Lanes, OfAMachineThatNobodyDescribed) {
  const auto ids = [](const std::vector<LaneSpec>& lanes) {
    std::vector<std::string> texts;
    for (const LaneSpec& one : lanes) {
      texts.push_back(one.processor + " " + std::string(to_string(one.engine)));
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(ids(default_lanes({"AzureExecutionProvider", "CPUExecutionProvider"})),
            Texts{"cpu0 cpu"});
  EXPECT_EQ(ids(default_lanes(
                {"TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"})),
            (Texts{"cpu0 cpu", "gpu0 tensorrt", "gpu0 cuda"}));
  EXPECT_EQ(ids(default_lanes({"CUDAExecutionProvider", "XnnpackExecutionProvider"})),
            (Texts{"cpu0 cpu", "gpu0 cuda"}))
      << "XNNPACK computes on the cores that the CPU's lane has: only by choice";
}

TEST(Lanes, ProviderThatTheLibraryLacks_IsNamedWithWhatItHas) {
  const auto runtime = load_onnx_runtime(test::checkout_home());
  if (!runtime) {
    GTEST_SKIP() << runtime.error().message;
  }
  EXPECT_NE(std::find(runtime->providers.begin(), runtime->providers.end(), "CPUExecutionProvider"),
            runtime->providers.end());
  for (const LaneEngine engine : {LaneEngine::Xnnpack, LaneEngine::Cuda, LaneEngine::TensorRt}) {
    const std::string wanted = provider_name(engine);
    if (std::find(runtime->providers.begin(), runtime->providers.end(), wanted) !=
        runtime->providers.end()) {
      continue;  // a library that has it: its sessions say what is missing below it
    }
    OnnxEngineOptions options;
    options.home = test::checkout_home();
    options.lane = lane(engine);
    const auto made = make_onnx_engine(Catalogue(), options);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::Unsupported);
    EXPECT_NE(made.error().message.find(wanted), std::string::npos) << made.error().message;
    EXPECT_NE(made.error().message.find("CPUExecutionProvider"), std::string::npos);
  }
}

}  // namespace
}  // namespace juggler
