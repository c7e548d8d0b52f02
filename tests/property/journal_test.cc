// What a controller did in a world, with its faults, it does again from the journal alone: every
// step has the digest that was recorded.

#include <gtest/gtest.h>

#include <fstream>

#include "core/digest.h"
#include "runtime/journal_writer.h"
#include "sim/random_world.h"
#include "sim/recorded_traffic.h"
#include "sim/replay.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

using sim::random_world;
using sim::RandomWorld;
using sim::ReplayReport;
using sim::World;
using test::TempFolder;

// Beside the journal, a digest of its own over all steps.
class Recorder final : public ControllerObserver {
 public:
  Recorder(const std::filesystem::path& folder, wire::JournalHead head)
      : writer_(std::move(*JournalWriter::open({.folder = folder}, std::move(head)))) {}

  void before(Time now, ControllerEvent& event) override { writer_->before(now, event); }
  void after(Time now, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override {
    writer_->after(now, event, actions);
    actions_ += actions.size();
    steps_ += 1;
  }
  std::uint64_t steps() const { return steps_; }
  std::uint64_t actions() const { return actions_; }

 private:
  std::unique_ptr<JournalWriter> writer_;
  std::uint64_t steps_ = 0;
  std::uint64_t actions_ = 0;
};

struct Recorded {
  sim::RunResult result;
  std::uint64_t steps = 0;
  std::uint64_t actions = 0;
};

// Of a world with one controller that lives throughout; nothing for a seed that has another.
std::optional<Recorded> record(std::uint64_t seed, const std::filesystem::path& folder) {
  RandomWorld random = random_world(seed);
  if (!random.options.controllers_stay) {
    return std::nullopt;
  }
  wire::JournalHead head;
  head.policy = random.options.policy;
  head.config = random.scenario.controller;
  head.config.seed = sim::seed_of(random.options.seed, sim::Stream::Policy);
  Recorder recorder(folder, head);
  random.options.meddler = &recorder;
  Recorded recorded;
  recorded.result = World(random.scenario, std::move(random.options)).run();
  recorded.steps = recorder.steps();
  recorded.actions = recorder.actions();
  return recorded;
}

ReplayReport replay_of(const std::filesystem::path& folder) {
  Result<JournalReader> journal = JournalReader::open(folder);
  EXPECT_TRUE(journal.has_value()) << journal.error().message;
  Result<ReplayReport> report = sim::replay(*journal);
  EXPECT_TRUE(report.has_value()) << report.error().message;
  return *report;
}

TEST(Replay, OfAnyWorld_DoesTheSameAtEveryStep) {
  int replayed = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const TempFolder folder;
    const std::optional<Recorded> recorded = record(seed, folder.path());
    if (!recorded.has_value()) {
      continue;
    }
    const ReplayReport report = replay_of(folder.path());
    if (!report.ended_early.empty()) {
      continue;  // the disk was slower than virtual time, and the journal says so
    }
    ASSERT_FALSE(report.difference.has_value())
        << "seed " << seed << ", " << report.difference->place << ": " << report.difference->event
        << "\n"
        << report.difference->actions;
    EXPECT_EQ(report.steps, recorded->steps) << "seed " << seed;
    EXPECT_EQ(report.actions, recorded->actions) << "seed " << seed;
    replayed += 1;
  }
  EXPECT_GE(replayed, 15);
}

std::optional<std::uint64_t> first_seed(const std::filesystem::path& folder) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::filesystem::remove_all(folder);
    const std::optional<Recorded> recorded = record(seed, folder);
    if (recorded.has_value() && recorded->result.completed > 5) {
      return seed;
    }
  }
  return std::nullopt;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

TEST(Replay, OfAChangedEvent_NamesTheFirstStepThatDiffers) {
  const TempFolder scratch;
  const std::filesystem::path folder = scratch.path() / "journal";
  ASSERT_TRUE(first_seed(folder).has_value());
  const std::filesystem::path file = list_journal(folder).front().path;
  std::string text = text_of(file);
  const std::size_t at = text.find("\"event\":\"submitted\"");
  ASSERT_NE(at, std::string::npos);
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  const std::size_t digest = text.rfind("\"digest\":\"", at) + 10;
  text[digest] = text[digest] == '0' ? '1' : '0';
  std::ofstream(file, std::ios::binary) << text;
  const ReplayReport report = replay_of(folder);
  ASSERT_TRUE(report.difference.has_value());
  EXPECT_EQ(report.difference->place, file.string() + ":" + std::to_string(line + 1));
  EXPECT_NE(report.difference->event.find("submitted"), std::string::npos);
}

TEST(Replay, WithoutItsFirstSegment_SaysThatItCannotBe) {
  const TempFolder scratch;
  const std::filesystem::path folder = scratch.path() / "journal";
  ASSERT_TRUE(first_seed(folder).has_value());
  const std::filesystem::path file = list_journal(folder).front().path;
  std::string text = text_of(file);
  const std::string first = "\"segment\":1,";
  text.replace(text.find(first), first.size(), "\"segment\":4,");
  std::ofstream(file, std::ios::binary) << text;
  Result<JournalReader> journal = JournalReader::open(folder);
  ASSERT_TRUE(journal.has_value());
  const Result<ReplayReport> report = sim::replay(*journal);
  ASSERT_FALSE(report.has_value());
  EXPECT_NE(report.error().message.find("first 3 segments were deleted"), std::string::npos);
}

TEST(RecordedTraffic, OfAWorld_HasItsTasksAndItsFleet) {
  const TempFolder scratch;
  const std::filesystem::path folder = scratch.path() / "journal";
  const std::optional<std::uint64_t> seed = first_seed(folder);
  ASSERT_TRUE(seed.has_value());
  Result<JournalReader> journal = JournalReader::open(folder);
  ASSERT_TRUE(journal.has_value());
  const Result<sim::RecordedTraffic> traffic = sim::read_traffic(*journal, {});
  ASSERT_TRUE(traffic.has_value()) << traffic.error().message;
  const RandomWorld random = random_world(*seed);
  EXPECT_EQ(traffic->scenario.devices.size(), random.scenario.devices.size());
  std::size_t arrivals = 0;
  for (const DemandClass& demand : traffic->scenario.classes) {
    const auto& shape = std::get<TraceArrivals>(demand.arrivals.shape);
    arrivals += shape.recorded->size();
    EXPECT_TRUE(std::is_sorted(shape.recorded->begin(), shape.recorded->end()));
  }
  EXPECT_EQ(arrivals, traffic->tasks);
  EXPECT_GT(arrivals, 5U);
}

}  // namespace
}  // namespace juggler
