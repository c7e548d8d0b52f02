// Generated fleets, loads and faults through the production state machines, shells and codec: every
// safety rule holds at every step, and once the faults stop every accepted task has its one
// outcome.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/policies/policy.h"
#include "sim/random_world.h"

namespace juggler {
namespace {

using sim::random_world;
using sim::RandomWorld;
using sim::RandomWorldLimits;
using sim::run_random_world;
using sim::RunResult;
using sim::World;

std::string complaints_of(const RunResult& result) {
  std::string text;
  for (const std::string& complaint : result.complaints) {
    text += complaint + "\n";
  }
  return text;
}

void expect_all_well(std::uint64_t seed, const RandomWorldLimits& limits = {}) {
  const bool trace = std::getenv("JUGGLER_TRACE") != nullptr;
  EXPECT_EQ(complaints_of(run_random_world(seed, limits, trace)), "")
      << describe(random_world(seed, limits));
}

TEST(World, EverySeed_KeepsItsPromises) {
  const char* first = std::getenv("JUGGLER_FIRST_SEED");
  const char* count = std::getenv("JUGGLER_SEED_COUNT");
  const std::uint64_t begin = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
  const std::uint64_t seeds = count != nullptr ? std::strtoull(count, nullptr, 10) : 300;
  for (std::uint64_t seed = begin; seed < begin + seeds; ++seed) {
    expect_all_well(seed);
    if (HasFailure()) {
      FAIL() << "again: JUGGLER_TRACE=1 JUGGLER_FIRST_SEED=" << seed
             << " JUGGLER_SEED_COUNT=1 property_world --gtest_filter=World.EverySeed*";
    }
  }
}

TEST(World, ProcessorsThatSlowEachOtherDown_KeepTheirPromises) {
  RandomWorldLimits limits;
  limits.slowdowns = true;
  int others = 0;
  for (std::uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    RandomWorld random = random_world(seed, limits);
    const std::string about = describe(random);
    World world(random.scenario, std::move(random.options));
    const RunResult result = world.run();
    EXPECT_EQ(complaints_of(result), "") << about;
    others += result.digest != run_random_world(seed).digest ? 1 : 0;
  }
  EXPECT_GT(others, 10) << "nothing was slowed down";
}

TEST(World, SeedsThatFoundSomething_StayFound) {
  const char* path = std::getenv("JUGGLER_SEEDS");
  if (path == nullptr) {
    GTEST_SKIP() << "JUGGLER_SEEDS names tests/property/seeds.txt";
  }
  std::ifstream in(path);
  ASSERT_TRUE(in.is_open()) << path;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::uint64_t seed = 0;
    if (words >> seed) {
      expect_all_well(seed);
      expect_all_well(seed, {.policy = "", .cuts = false});  // as the older ones were found
    }
  }
}

TEST(World, SameSeed_HasOneDigest) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const RunResult a = run_random_world(seed);
    const RunResult b = run_random_world(seed);
    EXPECT_EQ(a.digest, b.digest) << "seed " << seed;
    EXPECT_NE(a.digest, 0U);
  }
}

TEST(World, OtherSeed_HasAnotherDigest) {
  EXPECT_NE(run_random_world(1).digest, run_random_world(2).digest);
}

// Of the tasks that are drawn a quarter ask for more than their fleet has.
TEST(World, WithoutFaults_NothingFailsAndMostTasksComplete) {
  std::uint64_t offered = 0;
  std::uint64_t completed = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    RandomWorld random = random_world(seed, {.policy = "juggler", .watt_limits = false});
    random.scenario.random_faults = 0;
    World world(random.scenario, std::move(random.options));
    const RunResult result = world.run();
    offered += result.offered;
    completed += result.completed;
    EXPECT_EQ(result.failed, 0U) << "seed " << seed;
  }
  EXPECT_GT(offered, 100U);
  EXPECT_GT(completed * 10, offered * 7) << completed << " of " << offered;
}

// The seed grows with RapidCheck's size, so that a failure shrinks to a small one.
RC_GTEST_PROP(World, AnyWorld_KeepsItsPromises, ()) {
  const std::uint64_t seed = *rc::gen::inRange<std::uint64_t>(1, 1'000'000'000);
  RandomWorldLimits limits;
  limits.policy = *rc::gen::element<std::string>("juggler", "fastest-finish", "least-loaded",
                                                 "most-accurate", "random", "round-robin");
  limits.devices_max = *rc::gen::inRange(1, 6);
  limits.tasks_max = *rc::gen::inRange(0, 40);
  limits.faults_max = *rc::gen::inRange(0, 12);
  RandomWorld random = random_world(seed, limits);
  World world(random.scenario, std::move(random.options));
  const RunResult result = world.run();
  if (!result.complaints.empty()) {
    RC_FAIL(complaints_of(result));
  }
}

}  // namespace
}  // namespace juggler
