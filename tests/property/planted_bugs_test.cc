// The harness is tested too: a run with a planted bug must make it complain, and soon.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/policies/policy.h"
#include "sim/random_world.h"
#include "support/builders.h"

namespace juggler {
namespace {

using sim::random_world;
using sim::RandomWorld;
using sim::RunResult;
using sim::World;

constexpr std::uint64_t kSeeds = 50;

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

// Gives every submission an id of its own, so that no repetition is recognised; whoever asked is
// answered under the one that was sent.
class ForgetsIds final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& event) override {
    if (auto* task = std::get_if<Submitted>(&event)) {
      // As the controller names what came without an id: the checks know nothing of such
      // dispatches.
      std::string& id = task->submission.key.id;
      id = "anonymous-" + std::to_string(++submissions_) + "#" + id;
    }
  }
  void after(Time /*now*/, const ControllerEvent& /*event*/,
             std::vector<ControllerAction>& actions) override {
    for (ControllerAction& action : actions) {
      if (auto* outcome = std::get_if<SendOutcome>(&action)) {
        outcome->outcome = as_sent(outcome->outcome);
      } else if (auto* decided = std::get_if<SendDecided>(&action)) {
        decided->outcome = as_sent(decided->outcome);
      } else if (auto* dead = std::get_if<SendDead>(&action)) {
        dead->outcome = as_sent(dead->outcome);
      } else if (auto* answered = std::get_if<TaskAnswered>(&action)) {
        answered->outcome = as_sent(answered->outcome);
      }
    }
  }

 private:
  static Outcome as_sent(Outcome outcome) {
    outcome.key.id = outcome.key.id.substr(outcome.key.id.find('#') + 1);
    return outcome;
  }
  std::uint64_t submissions_ = 0;
};

// Leaves out every action of one kind.
template <class Event, class Action, class LeftOut>
class LeavesOut final : public StepObserver<Event, Action> {
 public:
  void before(Time /*now*/, Event& /*event*/) override {}
  void after(Time /*now*/, const Event& /*event*/, std::vector<Action>& actions) override {
    std::erase_if(actions,
                  [](const Action& action) { return std::holds_alternative<LeftOut>(action); });
  }
};
// Never lets go of a payload.
using KeepsPayloads = LeavesOut<ControllerEvent, ControllerAction, DropPayload>;
// A device that never acks what it was sent.
using DeviceAcksNothing = LeavesOut<ConsumerEvent, ConsumerAction, AckDelivery>;
// A device that computes and says nothing.
using DeviceSaysNothing = LeavesOut<ConsumerEvent, ConsumerAction, SendResult>;

// The controller is told half of what its devices take.
class HalvesEnergies final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& event) override {
    auto* hello = std::get_if<HelloArrived>(&event);
    for (std::size_t p = 0; hello != nullptr && p < hello->facts.processors.size(); ++p) {
      for (Profile& profile : hello->facts.processors[p].profiles) {
        for (ProfilePoint& point : profile.points) {
          if (point.energy.has_value()) {
            EnergyFigure& energy = *point.energy;
            energy.value = energy.value / 2;
            energy.low = energy.low / 2;
            energy.high = energy.high / 2;
          }
        }
      }
    }
  }
  void after(Time /*now*/, const ControllerEvent& /*event*/,
             std::vector<ControllerAction>& /*actions*/) override {}
};

// Acks a result beside its task, not once the task's ack is on the broker's disk.
class AcksResultsAtOnce final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& /*event*/) override {}
  void after(Time /*now*/, const ControllerEvent& /*event*/,
             std::vector<ControllerAction>& actions) override {
    for (ControllerAction& action : actions) {
      if (auto* ack = std::get_if<AckDelivery>(&action)) {
        ack->after_tasks = false;
      }
    }
  }
};

// Every device answers tasks that it was not given, by ids that it guesses from those it was:
// before they are submitted, while they wait, and while others compute them. It shows a stamp of
// its own.
class Invents final : public ConsumerObserver {
 public:
  void before(Time /*now*/, ConsumerEvent& /*event*/) override {}
  void after(Time /*now*/, const ConsumerEvent& event,
             std::vector<ConsumerAction>& actions) override {
    const auto* arrived = std::get_if<DispatchArrived>(&event);
    if (arrived == nullptr || arrived->dispatch.attempt.task.id.front() != 't') {
      return;
    }
    const std::int64_t mine = std::stoll(arrived->dispatch.attempt.task.id.substr(1));
    for (std::int64_t other = std::max<std::int64_t>(mine - 1, 0); other < mine + 4; ++other) {
      AttemptResult result = test::result_of(
          arrived->dispatch, other % 4 == 0 ? AttemptStatus::BadPayload : AttemptStatus::Ok);
      result.attempt.task.id = "t" + std::to_string(other);
      result.attempt.number = 99;  // one of its own would be believed
      actions.emplace_back(SendResult{(PublishId{1} << 62U) + ++invented, std::move(result)});
    }
  }

  std::uint64_t invented = 0;
};

// Takes every stamp for right.
class VerifiesNothing final : public ControllerObserver {
 public:
  void before(Time /*now*/, ControllerEvent& event) override {
    if (auto* arrived = std::get_if<ResultArrived>(&event)) {
      arrived->result.stamp = "believed";
    }
  }
  void after(Time /*now*/, const ControllerEvent& /*event*/,
             std::vector<ControllerAction>& /*actions*/) override {}
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

TEST(PlantedBugs, AcksResultsBesideTheirTasks_IsFound) {
  AcksResultsAtOnce bug;
  const std::string found = first_complaints(
      [&](RandomWorld& world) {
        world.options.meddler = &bug;
        Fault dies;  // in the middle of the load, and again
        dies.kind = FaultKind::BrokerRestart;
        dies.lasts = milliseconds(500);
        for (int part = 1; part < 8; ++part) {
          dies.at = world.scenario.duration * part / 8;
          world.scenario.faults.push_back(dies);
        }
      },
      200);
  // What comes of it, or what it comes from: which is seen first depends on when the broker dies.
  EXPECT_TRUE(found.find("a second outcome") != std::string::npos ||
              found.find("which is answered: it would run again") != std::string::npos)
      << found;
}

TEST(PlantedBugs, DevicesThatInventResults_AreNotBelieved) {
  Invents devices;
  EXPECT_EQ(
      first_complaints([&](RandomWorld& world) { world.options.device_meddler = &devices; }, 100),
      "");
  EXPECT_GT(devices.invented, 1000U);
}

TEST(PlantedBugs, VerifiesNoStamps_IsFound) {
  Invents devices;
  VerifiesNothing bug;
  const std::string found = first_complaints([&](RandomWorld& world) {
    world.options.device_meddler = &devices;
    world.options.meddler = &bug;
  });
  EXPECT_NE(found.find("which was not given it"), std::string::npos) << found;
}

TEST(PlantedBugs, CountsHalfThePower_IsFound) {
  HalvesEnergies bug;
  const std::string found = first_complaints([&](RandomWorld& world) {
    for (DemandClass& demand : world.scenario.classes) {
      demand.requirements.max_energy.reset();  // whose check would find it first
    }
    world.options.meddler = &bug;
  });
  EXPECT_NE(found.find("over its limit of"), std::string::npos) << found;
}

TEST(PlantedBugs, ForgetsIds_IsFound) {
  ForgetsIds bug;
  const std::string found =
      first_complaints([&](RandomWorld& world) { world.options.meddler = &bug; });
  EXPECT_NE(found.find("a second outcome"), std::string::npos) << found;
}

TEST(PlantedBugs, ForgetsIds_AnswersTwiceEvenUnseen) {
  ForgetsIds bug;
  const std::string found = first_complaints([&](RandomWorld& world) {
    world.options.meddler = &bug;
    world.options.check = false;  // only what clients and queues show
  });
  EXPECT_NE(found.find("answered twice, differently"), std::string::npos) << found;
}

TEST(PlantedBugs, KeepsPayloads_IsFound) {
  KeepsPayloads bug;
  const std::string found =
      first_complaints([&](RandomWorld& world) { world.options.meddler = &bug; });
  EXPECT_NE(found.find("payloads"), std::string::npos) << found;
}

TEST(PlantedBugs, NoDeadlineOfAnAttempt_IsFound) {
  const std::string found = first_complaints([](RandomWorld& world) {
    world.scenario.controller.attempt_grace = seconds(36'000);
    world.scenario.controller.hedges = false;  // nor does another device's result hide it
    Fault lost;                                // on every device, in the middle of the load
    lost.kind = FaultKind::LostDispatch;
    lost.at = world.scenario.duration / 2;
    lost.lasts = seconds(1);
    world.scenario.faults.push_back(lost);
  });
  EXPECT_NE(found.find("no deadline of its own"), std::string::npos) << found;
}

TEST(PlantedBugs, DeviceAcksNothing_IsFound) {
  DeviceAcksNothing bug;
  const std::string found =
      first_complaints([&](RandomWorld& world) { world.options.device_meddler = &bug; });
  EXPECT_NE(found.find("never acked"), std::string::npos) << found;
}

TEST(PlantedBugs, DeviceSaysNothing_IsFound) {
  DeviceSaysNothing bug;
  const std::string found =
      first_complaints([&](RandomWorld& world) { world.options.device_meddler = &bug; });
  EXPECT_NE(found, "") << found;
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
