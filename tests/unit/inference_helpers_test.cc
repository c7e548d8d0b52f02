// Threads that share out a job's parts, and pictures of one batch that are read by several.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <new>
#include <set>
#include <thread>

#include "inference/helper_threads.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference_pictures.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

TEST(HelperThreadsTest, EachPart_IsDoneOnce_ByOneWorkerAtATime) {
  HelperThreads helpers(4);
  for (const std::size_t count : {0U, 1U, 2U, 3U, 7U, 500U}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::atomic<int>> done(count);
      std::vector<std::atomic<int>> busy(helpers.workers());
      helpers.run(count, [&](std::size_t part, std::size_t worker) {
        ASSERT_LT(worker, helpers.workers());
        EXPECT_EQ(busy[worker]++, 0);
        ++done[part];
        --busy[worker];
      });
      for (const auto& times : done) {
        EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST(HelperThreadsTest, PartsThatWait_AreDoneAtOnce) {
  HelperThreads helpers(3);
  std::atomic<int> there{0};
  // Ends only when three parts are under way together.
  helpers.run(3, [&](std::size_t /*part*/, std::size_t /*worker*/) {
    ++there;
    while (there < 3) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(there, 3);
}

TEST(HelperThreadsTest, ExceptionOfAPart_ComesOutOnce_AndTheNextJobIsWhole) {
  HelperThreads helpers(3);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done{0};
    EXPECT_THROW(helpers.run(20,
                             [&](std::size_t part, std::size_t /*worker*/) {
                               if (part == 7 || part == 8) {
                                 throw std::bad_alloc();
                               }
                               ++done;
                             }),
                 std::bad_alloc);
    EXPECT_LE(done, 18);
    std::atomic<int> whole{0};
    helpers.run(20, [&](std::size_t /*part*/, std::size_t /*worker*/) { ++whole; });
    EXPECT_EQ(whole, 20);
  }
}

// A batch of mixed inputs by one thread and by four: the same answers at the same places.
TEST(PicturesByThreads, MixedBatch_IsAnsweredAsByOne) {
  const Result<OnnxRuntime> runtime = load_onnx_runtime(test::checkout_home());
  if (!runtime) {
    GTEST_SKIP() << runtime.error().message;
  }
  test::TempFolder home;
  test::make_tiny_home(home.path());
  const auto input = [](std::string bytes) {
    EngineInput made;
    made.payload.kind = PayloadKind::Png;
    made.payload.size = {static_cast<std::int64_t>(bytes.size())};
    made.bytes = wire::make_body(std::move(bytes));
    made.top_k = 3;
    return made;
  };
  std::vector<EngineInput> inputs;
  for (int i = 0; i < 40; ++i) {
    if (i % 5 == 0) {
      inputs.push_back(input(i % 10 == 0 ? "no picture" : ""));
    } else if (i == 11 || i == 12) {
      inputs.push_back(input(test::plain_png(2'100, 2'000, 200, 0, 10)));  // read alone: large
    } else {
      inputs.push_back(input(test::plain_png(20 + i, 30, static_cast<std::uint8_t>(i * 6), 90, 7)));
    }
  }
  std::vector<BatchReport> reports;
  for (const int threads : {1, 4}) {
    OnnxEngineOptions options;
    options.home = test::checkout_home();
    options.threads = threads;
    auto engine = make_onnx_engine(*Catalogue::load(home.path()), options);
    ASSERT_TRUE((*engine)->load("tiny-fp32").has_value());
    reports.push_back((*engine)->run("tiny-fp32", inputs));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const EngineOutput& one = reports[0].outputs[i];
    const EngineOutput& four = reports[1].outputs[i];
    EXPECT_EQ(one.status, i % 5 == 0 ? AttemptStatus::BadPayload : AttemptStatus::Ok) << i;
    EXPECT_EQ(one.status, four.status) << i;
    EXPECT_EQ(one.reason, four.reason) << i;
    EXPECT_EQ(one.labels, four.labels) << i;
  }
}

}  // namespace
}  // namespace juggler
