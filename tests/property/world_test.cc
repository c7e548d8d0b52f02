// Generated fleets, loads and faults through the real state machines and codec: every safety rule
// holds at every step, and once the faults stop every accepted task has its one outcome.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/world.h"

namespace juggler {
namespace {

using test::World;
using test::WorldPlan;

// A plan in which everything follows from the seed.
WorldPlan plan_of(std::uint64_t seed) {
  Rng rng(seed);
  WorldPlan plan;
  plan.seed = seed;
  const std::vector<PolicyEntry> names = policies();
  plan.policy = std::string(names[rng.below(names.size())].name);
  plan.devices = 1 + static_cast<int>(rng.below(5));
  plan.tasks = 5 + static_cast<int>(rng.below(60));
  plan.faults = static_cast<int>(rng.below(12));
  plan.client_retries = rng.below(2) == 0;
  plan.load = seconds(2 + static_cast<std::int64_t>(rng.below(12)));
  return plan;
}

void expect_all_well(const WorldPlan& plan) {
  World world(plan);
  world.run();
  EXPECT_EQ(world.complaints(), "") << "seed " << plan.seed << ", policy " << plan.policy;
}

TEST(World, EverySeed_KeepsItsPromises) {
  const char* first = std::getenv("JUGGLER_FIRST_SEED");
  const char* count = std::getenv("JUGGLER_SEED_COUNT");
  const std::uint64_t begin = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
  const std::uint64_t seeds = count != nullptr ? std::strtoull(count, nullptr, 10) : 100;
  for (std::uint64_t seed = begin; seed < begin + seeds; ++seed) {
    expect_all_well(plan_of(seed));
    if (HasFailure()) {
      FAIL() << "again: JUGGLER_FIRST_SEED=" << seed
             << " JUGGLER_SEED_COUNT=1 property_world --gtest_filter=World.EverySeed*";
    }
  }
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
      expect_all_well(plan_of(seed));
    }
  }
}

TEST(World, SameSeed_HasOneDigest) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World a(plan_of(seed));
    World b(plan_of(seed));
    a.run();
    b.run();
    EXPECT_EQ(a.digest(), b.digest()) << "seed " << seed;
  }
}

TEST(World, OtherSeed_HasAnotherDigest) {
  World a(plan_of(1));
  World b(plan_of(2));
  a.run();
  b.run();
  EXPECT_NE(a.digest(), b.digest());
}

TEST(World, WithoutFaults_MostTasksComplete) {
  WorldPlan plan = plan_of(3);
  plan.faults = 0;
  plan.devices = 5;
  World world(plan);
  world.run();
  EXPECT_GT(world.completed() * 2, static_cast<std::size_t>(plan.tasks));
}

RC_GTEST_PROP(World, AnyPlan_KeepsItsPromises, ()) {
  WorldPlan plan;
  plan.seed = *rc::gen::inRange<std::uint64_t>(1, 1'000'000'000);
  plan.policy = *rc::gen::element<std::string>("juggler", "fastest-finish", "least-loaded",
                                               "most-accurate", "random", "round-robin");
  plan.devices = *rc::gen::inRange(1, 6);
  plan.tasks = *rc::gen::inRange(0, 40);
  plan.faults = *rc::gen::inRange(0, 10);
  plan.client_retries = *rc::gen::arbitrary<bool>();
  plan.load = seconds(*rc::gen::inRange<std::int64_t>(2, 10));
  World world(plan);
  world.run();
  if (!world.complaints().empty()) {
    RC_FAIL(world.complaints());
  }
}

}  // namespace
}  // namespace juggler
