// The harness is tested too: a run with a planted bug must make it complain, and soon.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/policies/policy.h"
#include "sim/random_world.h"

namespace juggler {
namespace {

using sim::random_world;
using sim::RandomWorld;
using sim::RunResult;
using sim::World;

constexpr std::uint64_t kSeeds = 1000;

// Acks a submission as soon as it is there: the broker is no longer the record.
class AcksEarly final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& /*event*/) override {}
  void after(Time /*now*/, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override {
    if (const auto* task = std::get_if<Submitted>(&event)) {
      actions.emplace_back(AckDelivery{task->delivery});
    }
  }
};

// Gives every submission an id of its own, so that no repetition is recognised.
class ForgetsIds final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& event) override {
    if (auto* task = std::get_if<Submitted>(&event)) {
      task->submission.key.id += "#" + std::to_string(++submissions_);
    }
  }
  void after(Time /*now*/, const ControllerEvent& /*event*/,
             std::vector<ControllerAction>& actions) override {
    for (ControllerAction& action : actions) {
      if (auto* outcome = std::get_if<SendOutcome>(&action)) {
        Outcome given = *outcome->outcome;
        given.key.id = given.key.id.substr(0, given.key.id.find('#'));
        outcome->outcome = std::move(given);
      }
    }
  }

 private:
  std::uint64_t submissions_ = 0;
};

// The complaints about the first seed that has any, and which it was.
template <class Plant>
std::string first_complaints(Plant plant, std::uint64_t seeds = kSeeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    RandomWorld random = random_world(seed);
    plant(random);
    World world(random.scenario, std::move(random.options));
    const RunResult result = world.run();
    if (!result.complaints.empty()) {
      std::string text = "seed " + std::to_string(seed) + "\n";
      for (const std::string& complaint : result.complaints) {
        text += complaint + "\n";
      }
      return text;
    }
  }
  return "";
}

TEST(PlantedBugs, None_IsNotBlamed) {
  EXPECT_EQ(first_complaints([](RandomWorld& /*world*/) {}, 100), "");
}

TEST(PlantedBugs, AcksSubmissionsEarly_IsFound) {
  AcksEarly bug;
  const std::string found =
      first_complaints([&](RandomWorld& world) { world.options.meddler = &bug; });
  EXPECT_NE(found.find("acked before its outcome"), std::string::npos) << found;
}

TEST(PlantedBugs, AcksSubmissionsEarly_LosesTasksEvenUnseen) {
  AcksEarly bug;
  const std::string found = first_complaints([&](RandomWorld& world) {
    world.options.meddler = &bug;
    world.options.check = false;  // only what clients and queues show
  });
  EXPECT_NE(found.find("never answered"), std::string::npos) << found;
}

TEST(PlantedBugs, ForgetsIds_IsFound) {
  ForgetsIds bug;
  const std::string found = first_complaints([&](RandomWorld& world) {
    world.options.meddler = &bug;
    world.options.check = false;  // the clients see it
  });
  EXPECT_NE(found.find("answered twice, differently"), std::string::npos) << found;
}

TEST(PlantedBugs, NoDeadlineOfAnAttempt_IsFound) {
  const std::string found = first_complaints(
      [](RandomWorld& world) { world.scenario.controller.attempt_grace = seconds(36'000); });
  EXPECT_NE(found.find("no deadline of its own"), std::string::npos) << found;
}

// Chooses by where things lie in memory, as whoever iterates a container of pointers does.
class ByAddress final : public Policy {
 public:
  std::string_view name() const override { return "by-address"; }
  std::string_view about() const override { return "whatever lies first in memory"; }
  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    std::vector<const Candidate*> possible;
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate)) {
        possible.push_back(&candidate);
      }
    }
    const std::uint64_t where = reinterpret_cast<std::uintptr_t>(this) * 0x9e3779b97f4a7c15ULL;
    return decide(situation,
                  possible.empty() ? nullptr : possible[(where >> 32U) % possible.size()]);
  }
};

TEST(PlantedBugs, PolicyThatReadsUnorderedState_IsFoundByTheDigest) {
  std::uint64_t differing = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds && differing == 0; ++seed) {
    RandomWorld one = random_world(seed);
    RandomWorld other = random_world(seed);
    one.options.make_policy = [] { return std::make_unique<ByAddress>(); };
    other.options.make_policy = one.options.make_policy;
    World a(one.scenario, std::move(one.options));
    World b(other.scenario, std::move(other.options));
    const RunResult first = a.run();  // its policy still lives while the other runs
    differing += first.digest != b.run().digest ? 1U : 0U;
  }
  EXPECT_GT(differing, 0U);
}

}  // namespace
}  // namespace juggler
