// The external engine with a real worker process behind a real socket: what it computes, and what
// becomes of the engine when the worker crashes, hangs, talks nonsense or is of another time.

#include <gtest/gtest.h>

#include <signal.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "inference/external_engine.h"
#include "inference/external_worker.h"
#include "inference_pictures.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

EngineInput picture(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  std::string bytes = test::plain_png(9, 9, red, green, blue);
  EngineInput input;
  input.payload.kind = PayloadKind::Png;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(std::move(bytes));
  input.top_k = 1;
  return input;
}

class ExternalEngineTest : public testing::Test {
 protected:
  void SetUp() override { test::make_tiny_home(home_.path()); }

  // The worker of tests/support with this fault, once in its lives.
  external::WorkerOptions options(const std::string& fault) const {
    external::WorkerOptions made;
    made.name = "gpu0";
    made.command = {
        "/usr/bin/python3",
        (std::filesystem::path(__FILE__).parent_path() / "../support/test_worker.py").string(),
        fault, home_.path().string()};
    made.socket = home_.path() / "engines/gpu0.sock";
    made.log = home_.path() / "logs/gpu0.log";
    made.start_max = seconds(60);
    return made;
  }

  void start(const external::WorkerOptions& with) {
    auto worker = external::Worker::start(with);
    ASSERT_TRUE(worker.has_value()) << worker.error().message;
    worker_ = std::move(*worker);
    external::ExternalEngine engine;
    engine.worker = worker_;
    engine.catalogue = *Catalogue::load(home_.path());
    engine.loaded = [this](const std::string&, Bytes memory) { memory_ = memory; };
    engine_ = external::make_external_engine(std::move(engine));
  }
  // With a worker that is there.
  void start(const std::string& fault) {
    start(options(fault));
    const auto hello = worker_->await_hello();
    ASSERT_TRUE(hello.has_value()) << hello.error().message;
  }

  BatchReport run(const std::vector<EngineInput>& inputs) {
    if (const Result<void> loaded = engine_->load("tiny-fp32"); !loaded) {
      BatchReport failed;
      failed.outputs.resize(inputs.size());
      failed.outputs.front().reason = loaded.error().message;
      return failed;
    }
    return engine_->run("tiny-fp32", inputs);
  }

  // As the lane's thread does while it has nothing to run.
  void await_ready() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!worker_->ready() && std::chrono::steady_clock::now() < until) {
      const Micros again = engine_->idle();
      EXPECT_LE(again, seconds(30));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ASSERT_TRUE(worker_->ready()) << worker_->trouble();
  }

  // The first batch meets the fault and fails with `why`; once the worker is there again the next
  // is answered rightly.
  void fails_then_works(const std::string& why) {
    const BatchReport first = run({picture(255, 0, 0)});
    ASSERT_EQ(first.outputs.front().status, AttemptStatus::Error);
    EXPECT_NE(first.outputs.front().reason.find(why), std::string::npos)
        << first.outputs.front().reason;
    await_ready();
    works();
  }
  void works() {
    const BatchReport report = run({picture(0, 255, 0)});
    ASSERT_EQ(report.outputs.front().status, AttemptStatus::Ok) << report.outputs.front().reason;
    EXPECT_EQ(report.outputs.front().labels.front().name, "green");
  }

  test::TempFolder home_;
  std::shared_ptr<external::Worker> worker_;
  std::unique_ptr<InferenceEngine> engine_;
  Bytes memory_;
};

TEST_F(ExternalEngineTest, Hello_SaysWhatItServes) {
  start("none");
  EXPECT_EQ(worker_->hello().runtime, "test");
  EXPECT_EQ(worker_->hello().batch_max, 4);
  EXPECT_EQ(worker_->hello().variants.size(), 2U);
}

TEST_F(ExternalEngineTest, Batch_BadOnesFailAloneAndLargeOnesAreSplit) {
  start("none");
  EngineInput junk = picture(1, 1, 1);
  junk.bytes = wire::make_body("no picture");
  // Seven pictures for a worker that takes four at once.
  const BatchReport report =
      run({picture(255, 0, 0), junk, picture(0, 255, 0), picture(0, 0, 255), picture(255, 0, 0),
           picture(0, 255, 0), picture(0, 0, 255), picture(255, 0, 0)});
  ASSERT_EQ(report.outputs.size(), 8U);
  EXPECT_EQ(report.outputs[1].status, AttemptStatus::BadPayload);
  const std::vector<std::string> wanted{"red", "", "green", "blue", "red", "green", "blue", "red"};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i != 1) {
      ASSERT_EQ(report.outputs[i].status, AttemptStatus::Ok) << report.outputs[i].reason;
      EXPECT_EQ(report.outputs[i].labels.at(0).name, wanted[i]) << i;
    }
  }
  EXPECT_GT(report.compute, Micros{0});
  EXPECT_EQ(memory_, Bytes{1008}) << "what the worker says that the variant takes";
}

TEST_F(ExternalEngineTest, Crash_FailsTheBatchAndTheWorkerComesBack) {
  start("crash");
  fails_then_works("signal 6");
}
TEST_F(ExternalEngineTest, Exit_FailsTheBatchAndTheWorkerComesBack) {
  start("exit");
  fails_then_works("status 3");
}
TEST_F(ExternalEngineTest, Hang_IsKilledAfterItsTime) {
  external::WorkerOptions with = options("hang");
  with.run_max = milliseconds(300);
  start(with);
  ASSERT_TRUE(worker_->await_hello().has_value());
  fails_then_works("no answer within 300 ms");
}
TEST_F(ExternalEngineTest, HalfAnAnswer_IsKilledAfterItsTime) {
  external::WorkerOptions with = options("half");
  with.run_max = milliseconds(300);
  start(with);
  ASSERT_TRUE(worker_->await_hello().has_value());
  fails_then_works("no answer within 300 ms");
}
TEST_F(ExternalEngineTest, HangingLoad_IsKilledAfterItsTime) {
  external::WorkerOptions with = options("hang-load");
  with.load_max = milliseconds(300);
  start(with);
  ASSERT_TRUE(worker_->await_hello().has_value());
  fails_then_works("no answer within 300 ms");
}
TEST_F(ExternalEngineTest, Garbage_IsRefusedAndTheWorkerReplaced) {
  start("garbage");
  fails_then_works("does not begin with the mark");
}
TEST_F(ExternalEngineTest, HugeClaim_IsRefusedBeforeAnyMemoryIsTaken) {
  start("huge");
  fails_then_works("claims 4294967295 bytes");
}
TEST_F(ExternalEngineTest, AnswerToAnotherRequest_IsRefused) {
  start("wrong-id");
  fails_then_works("answers request");
}
TEST_F(ExternalEngineTest, SpeakingUnasked_IsNoticedBetweenBatches) {
  start("chatter");
  works();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (worker_->ready() && std::chrono::steady_clock::now() < until) {
    engine_->idle();
  }
  EXPECT_NE(worker_->trouble().find("without being asked"), std::string::npos);
  await_ready();
  works();
}
TEST_F(ExternalEngineTest, DeathBetweenBatches_CostsNoBatch) {
  start("dies-idle");
  works();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (worker_->ready() && std::chrono::steady_clock::now() < until) {
    engine_->idle();
  }
  ASSERT_FALSE(worker_->ready()) << "its death was not noticed";
  await_ready();
  works();
  EXPECT_EQ(worker_->life(), 2U);
}

TEST_F(ExternalEngineTest, WrongNumberOfScores_FailsTheBatchAlone) {
  start("wrong-size");
  const BatchReport report = run({picture(255, 0, 0)});
  EXPECT_NE(report.outputs.front().reason.find("returned 2 scores"), std::string::npos)
      << report.outputs.front().reason;
  works();
  EXPECT_EQ(worker_->life(), 1U);
}
TEST_F(ExternalEngineTest, Refusal_FailsTheBatchAndTheWorkerLives) {
  start("refuse");
  const BatchReport report = run({picture(255, 0, 0)});
  EXPECT_NE(report.outputs.front().reason.find("I do not want to"), std::string::npos);
  works();
  EXPECT_EQ(worker_->life(), 1U);
}
TEST_F(ExternalEngineTest, OutOfMemory_IsTold) {
  start("oom");
  const BatchReport report = run({picture(255, 0, 0)});
  EXPECT_NE(report.outputs.front().reason.find("out of memory"), std::string::npos);
  works();
}

TEST_F(ExternalEngineTest, OtherMajor_IsRefusedWithBothVersions) {
  start(options("other-major"));
  const auto hello = worker_->await_hello();
  ASSERT_FALSE(hello.has_value());
  EXPECT_NE(hello.error().message.find("speaks version 2"), std::string::npos)
      << hello.error().message;
}
TEST_F(ExternalEngineTest, OtherMinorWithNewFields_Works) {
  start("other-minor");
  works();
}
TEST_F(ExternalEngineTest, GarbageForAHello_IsRefused) {
  start(options("garbage-hello"));
  EXPECT_NE(worker_->await_hello().error().message.find("mark"), std::string::npos);
}
TEST_F(ExternalEngineTest, NoHello_EndsAfterItsTime) {
  external::WorkerOptions with = options("no-hello");
  with.start_max = milliseconds(700);
  start(with);
  EXPECT_NE(worker_->await_hello().error().message.find("hello in time"), std::string::npos);
}
TEST_F(ExternalEngineTest, DeathAtOnce_NamesStatusAndLog) {
  start(options("dies-at-once"));
  const std::string why = worker_->await_hello().error().message;
  EXPECT_NE(why.find("status 7"), std::string::npos) << why;
  EXPECT_NE(why.find("gpu0.log"), std::string::npos) << why;
  std::ifstream log(home_.path() / "logs/gpu0.log");
  const std::string said(std::istreambuf_iterator<char>(log), {});
  EXPECT_NE(said.find("test worker: dies-at-once"), std::string::npos) << said;
}
TEST_F(ExternalEngineTest, ProgramThatIsNotThere_IsNamed) {
  external::WorkerOptions with = options("none");
  with.command = {"/nowhere/worker"};
  start(with);
  EXPECT_NE(worker_->await_hello().error().message.find("status 127"), std::string::npos);
}
TEST_F(ExternalEngineTest, Batch_WhileTheWorkerIsAway_FailsAtOnceWithTheReason) {
  start(options("dies-at-once"));
  static_cast<void>(worker_->await_hello());
  const auto begun = std::chrono::steady_clock::now();
  const BatchReport report = run({picture(1, 2, 3)});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
  EXPECT_NE(report.outputs.front().reason.find("gpu0 is not there"), std::string::npos);
}
TEST_F(ExternalEngineTest, PathThatIsTooLongForASocket_IsSaid) {
  external::WorkerOptions with = options("none");
  with.socket = home_.path() / std::string(120, 'x');
  const auto worker = external::Worker::start(with);
  ASSERT_FALSE(worker.has_value());
  EXPECT_NE(worker.error().message.find("shorter home"), std::string::npos);
}

}  // namespace
}  // namespace juggler
