// A controller that takes up another's state, from the lines of a checkpoint, does at every later
// step what the other does: in generated worlds, with their faults, at random steps, under every
// policy. And a journal that has lost its beginning is reproduced from its checkpoints.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "core/digest.h"
#include "core/policies/policy.h"
#include "runtime/journal_writer.h"
#include "sim/random_world.h"
#include "sim/replay.h"
#include "support/builders.h"
#include "support/checkpoint_text.h"
#include "support/temp_folder.h"
#include "wire/journal.h"

namespace juggler {
namespace {

using sim::random_world;
using sim::RandomWorld;
using sim::ReplayReport;
using sim::World;
using test::state_of;
using test::TempFolder;

std::string text_of(const Controller& controller) { return wire::encode_state(controller.state()); }

// The first line in which two checkpoints differ.
std::string difference(const std::string& a, const std::string& b) {
  std::istringstream in_a(a);
  std::istringstream in_b(b);
  std::string line_a;
  std::string line_b;
  while (std::getline(in_a, line_a) && std::getline(in_b, line_b)) {
    if (line_a != line_b) {
      return line_a + "\n" + line_b;
    }
  }
  return a.size() == b.size() ? "" : "one has more lines";
}

// Beside each controller of a world one that took up its state at some step, and takes each step
// that it takes; now and then that one is replaced by one with the state of that moment.
class Twins {
 public:
  Twins(std::uint64_t seed, std::string policy) : rng_(seed), policy_(std::move(policy)) {}

  // A process begins: what was beside it before has nobody to follow.
  std::unique_ptr<Policy> make_policy() {
    twins_.clear();
    return std::move(*juggler::make_policy(policy_));
  }

  void stepped(std::size_t who, const Controller& controller, Time now,
               const ControllerEvent& event, std::span<const ControllerAction> actions) {
    std::unique_ptr<Controller>& twin = twins_[who];
    if (twin != nullptr && complaint_.empty()) {
      follow(*twin, controller, now, event, {actions.begin(), actions.end()});
    }
    if (rng_.below(150) == 0 && complaint_.empty()) {
      take_up(twin, controller);
    }
  }

  const std::string& complaint() const { return complaint_; }
  std::uint64_t steps() const { return steps_; }
  std::uint64_t checkpoints() const { return checkpoints_; }

 private:
  void follow(Controller& twin, const Controller& controller, Time now,
              const ControllerEvent& event, const std::vector<ControllerAction>& actions) {
    std::vector<ControllerAction> again;
    twin.step(now, event, again);
    Digest one;
    Digest other;
    add_step(one, 0, now, event, actions);
    add_step(other, 0, now, event, again);
    steps_ += 1;
    if (one.value() != other.value()) {
      complaint_ = "other actions at " + std::to_string(now.us);
    } else if (twin.next_timer() != controller.next_timer()) {
      complaint_ = "another timer at " + std::to_string(now.us);
    }
  }

  void take_up(std::unique_ptr<Controller>& twin, const Controller& controller) {
    const std::string text = text_of(controller);
    if (twin != nullptr) {
      complaint_ = difference(text, text_of(*twin));
    }
    Result<ControllerState> state = state_of(text);
    if (!state) {
      complaint_ = state.error().message;
      return;
    }
    auto fresh = std::make_unique<Controller>(controller.config(),
                                              std::move(*juggler::make_policy(policy_)));
    if (const Result<void> taken = fresh->take_up(std::move(*state)); !taken) {
      complaint_ = taken.error().message;
      return;
    }
    if (complaint_.empty()) {
      complaint_ = difference(text, text_of(*fresh));
    }
    // Every other one goes on for as long as it can.
    if (twin == nullptr || rng_.below(2) == 0) {
      twin = std::move(fresh);
    }
    checkpoints_ += 1;
  }

  Rng rng_;
  std::string policy_;
  std::map<std::size_t, std::unique_ptr<Controller>> twins_;
  std::string complaint_;
  std::uint64_t steps_ = 0;
  std::uint64_t checkpoints_ = 0;
};

void watch(RandomWorld& world, Twins& twins) {
  world.options.make_policy = [&twins] { return twins.make_policy(); };
  world.options.watch = [&twins](std::size_t who, const Controller& controller, Time now,
                                 const ControllerEvent& event,
                                 std::span<const ControllerAction> actions) {
    twins.stepped(who, controller, now, event, actions);
  };
  world.options.check = false;
  world.options.digest = false;
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

TEST(Checkpoint, TakenUpAnywhere_DoesTheSameAtEveryLaterStep) {
  const std::uint64_t begin = number_in("JUGGLER_FIRST_SEED", 1);
  const std::uint64_t seeds = number_in("JUGGLER_SEED_COUNT", 300);
  std::uint64_t steps = 0;
  std::uint64_t checkpoints = 0;
  for (std::uint64_t seed = begin; seed < begin + seeds; ++seed) {
    RandomWorld random = random_world(seed);
    Twins twins(seed, random.options.policy);
    watch(random, twins);
    World(random.scenario, std::move(random.options)).run();
    ASSERT_EQ(twins.complaint(), "")
        << describe(random_world(seed)) << "\nagain: JUGGLER_FIRST_SEED=" << seed
        << " JUGGLER_SEED_COUNT=1 property_world --gtest_filter=Checkpoint.TakenUp*";
    steps += twins.steps();
    checkpoints += twins.checkpoints();
  }
  EXPECT_GE(steps, 100 * seeds);
  EXPECT_GE(checkpoints, seeds);
}

TEST(Checkpoint, UnderEveryPolicy_DoesTheSame) {
  std::vector<std::string> names{"single-variant:resnet50-fp32", "juggler@latency"};
  for (const PolicyEntry& policy : policies()) {
    names.push_back(policy.name);
  }
  for (const std::string& name : names) {
    for (std::uint64_t seed = 1001; seed <= 1010; ++seed) {
      RandomWorld random = random_world(seed, {.policy = name});
      Twins twins(seed, name);
      watch(random, twins);
      World(random.scenario, std::move(random.options)).run();
      ASSERT_EQ(twins.complaint(), "") << "seed " << seed << ", policy " << name;
    }
  }
}

// Many tasks at once on few devices, so that lines, hedges and refusals are in the state.
TEST(Checkpoint, OfABusyController_DoesTheSame) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    RandomWorld random = random_world(seed, {.devices_max = 3, .tasks_max = 3000, .policy = {}});
    random.scenario.controller.tasks_max = 40;
    Twins twins(seed, random.options.policy);
    watch(random, twins);
    World(random.scenario, std::move(random.options)).run();
    ASSERT_EQ(twins.complaint(), "") << "seed " << seed;
  }
}

struct Recorded {
  wire::JournalHead head;
  std::vector<std::pair<Time, ControllerEvent>> events;
};

// The steps of a controller that serves so many tasks one after the other that a journal of the
// smallest size loses its beginning, and whose state is small enough for one of its segments.
Recorded long_run() {
  Recorded recorded;
  recorded.head.policy = "round-robin";
  recorded.head.config.answered_max = 10;
  Controller controller(recorded.head.config, std::move(*make_policy(recorded.head.policy)));
  Time now{1'000'000};
  std::uint64_t tag = 0;
  std::vector<ControllerAction> actions;
  const auto step = [&](const ControllerEvent& event) {
    controller.step(now, event, actions);
    recorded.events.emplace_back(now, event);
  };
  // What the broker and the devices answer to what has been done.
  const auto settle_all = [&] {
    while (!actions.empty()) {
      for (const ControllerAction& action : std::exchange(actions, {})) {
        if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
          step(PublishSettled{dispatch->id, PublishEnd::Confirmed});
          step(ResultArrived{test::result_of(dispatch->dispatch), {1, ++tag}});
        } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
          step(PublishSettled{outcome->id, PublishEnd::Confirmed});
        }
      }
    }
  };
  const std::array<DeviceFacts, 2> devices{
      test::device("a").serves(test::variant("n-fp32"), milliseconds(50)),
      test::device("b").serves(test::variant("n-fp32"), milliseconds(70))};
  step(LeadBegun{1, 0});
  step(TasksRead{});
  for (const DeviceFacts& facts : devices) {
    step(HelloArrived{facts});
  }
  for (int i = 0; i < 4000; ++i) {
    now = now + milliseconds(100);
    step(Tick{});
    if (i % 10 == 0) {
      for (const DeviceFacts& facts : devices) {
        Heartbeat heartbeat;
        heartbeat.device = facts.id;
        heartbeat.incarnation = facts.incarnation;
        step(HeartbeatArrived{heartbeat});
      }
    }
    step(Submitted{.submission = test::submission("t-" + std::to_string(i)),
                   .delivery = {1, ++tag},
                   .refusal = {},
                   .id_given = true});
    settle_all();
  }
  return recorded;
}

// Its journal, so short that its beginning is deleted.
void write_journal(const Recorded& recorded, const std::filesystem::path& folder) {
  Controller controller(recorded.head.config, std::move(*make_policy(recorded.head.policy)));
  const auto writer = std::move(*JournalWriter::open(
      {.folder = folder, .bytes_max = mebibytes(1), .controller = &controller}, recorded.head));
  std::size_t steps = 0;
  for (const auto& [now, event] : recorded.events) {
    std::vector<ControllerAction> actions;
    controller.step(now, event, actions);
    writer->after(now, event, actions);
    steps += 1;
    if (steps % 20 == 0) {
      writer->flush();
    }
  }
}

Result<ReplayReport> replay_of(const std::filesystem::path& folder) {
  Result<JournalReader> journal = JournalReader::open(folder);
  if (!journal) {
    return journal.error();
  }
  return sim::replay(*journal);
}

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class RotatedJournal : public ::testing::Test {
 protected:
  RotatedJournal() { write_journal(recorded(), folder_.path() / "journal"); }

  static const Recorded& recorded() {
    static const Recorded run = long_run();
    return run;
  }
  std::filesystem::path folder() const { return folder_.path() / "journal"; }

  // The first file with such a text, and where.
  std::pair<std::filesystem::path, std::size_t> find(const std::string& text) const {
    for (const JournalFile& file : list_journal(folder())) {
      if (const std::size_t at = read_all(file.path).find(text); at != std::string::npos) {
        return {file.path, at};
      }
    }
    ADD_FAILURE() << "no file has " << text;
    return {};
  }

 private:
  TempFolder folder_;
};

TEST_F(RotatedJournal, IsReproducedFromItsFirstCheckpoint) {
  const std::vector<JournalFile> files = list_journal(folder());
  ASSERT_GT(files.front().segment, 1);
  const Result<ReplayReport> report = replay_of(folder());
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->from_checkpoint);
  EXPECT_TRUE(report->whole()) << report->ended_early;
  EXPECT_EQ(report->last, recorded().events.back().first);
  // Checkpoints are so close to each other that most can be reproduced.
  EXPECT_GT(report->steps, report->skipped);
}

TEST_F(RotatedJournal, WithAMissingSegment_GoesOnAtTheNextCheckpoint) {
  const std::vector<JournalFile> files = list_journal(folder());
  std::filesystem::remove(files[files.size() / 2].path);
  const Result<ReplayReport> report = replay_of(folder());
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->gaps, 1U);
  EXPECT_EQ(report->ended_early, "");
  EXPECT_FALSE(report->difference.has_value());
  EXPECT_FALSE(report->whole());
  EXPECT_EQ(report->last, recorded().events.back().first);
}

TEST_F(RotatedJournal, WithAChangedCheckpoint_SaysSo) {
  const auto [file, at] = find("\"last_publish\":");
  std::string text = read_all(file);
  char& digit = text[at + std::string("\"last_publish\":").size()];
  digit = digit == '1' ? '2' : '1';
  std::ofstream(file, std::ios::binary) << text;
  const Result<ReplayReport> report = replay_of(folder());
  ASSERT_FALSE(report.has_value());
  EXPECT_NE(report.error().message.find("a checkpoint was changed"), std::string::npos)
      << report.error().message;
  EXPECT_NE(report.error().message.find(file.filename().string()), std::string::npos);
}

TEST_F(RotatedJournal, WithACheckpointThatLacksALine_SaysSo) {
  const auto [file, at] = find("{\"state\":\"device\"");
  std::string text = read_all(file);
  text.erase(at, text.find('\n', at) + 1 - at);
  std::ofstream(file, std::ios::binary) << text;
  const Result<ReplayReport> report = replay_of(folder());
  ASSERT_FALSE(report.has_value());
  EXPECT_NE(report.error().message.find("lines of it are missing"), std::string::npos)
      << report.error().message;
}

TEST_F(RotatedJournal, WithoutACheckpoint_SaysThatItCannotBe) {
  for (const JournalFile& file : list_journal(folder())) {
    std::istringstream in(read_all(file.path));
    std::ofstream out(file.path, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("{\"state\":", 0) != 0) {
        out << line << "\n";
      }
    }
  }
  const Result<ReplayReport> report = replay_of(folder());
  ASSERT_FALSE(report.has_value());
  EXPECT_NE(report.error().message.find("no checkpoint follows"), std::string::npos);
}

}  // namespace
}  // namespace juggler
