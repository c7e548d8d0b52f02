// The harness is tested too: a driver with a planted bug must make it fail, and soon.

#include <gtest/gtest.h>

#include "support/world.h"

namespace juggler {
namespace {

using test::PlantedBug;
using test::World;
using test::WorldPlan;

// The complaints about the first of 50 seeds that has any.
std::string first_complaints(PlantedBug bug) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    WorldPlan plan;
    plan.seed = seed;
    plan.faults = 10;
    plan.client_retries = seed % 2 == 0;
    World world(plan, bug);
    world.run();
    if (!world.complaints().empty()) {
      return world.complaints();
    }
  }
  return "";
}

TEST(PlantedBugs, None_IsNotBlamed) { EXPECT_EQ(first_complaints(PlantedBug::None), ""); }

TEST(PlantedBugs, AcksSubmissionsEarly_IsFound) {
  EXPECT_NE(first_complaints(PlantedBug::AcksEarly).find("acked before its outcome"),
            std::string::npos);
}

TEST(PlantedBugs, ForgetsIds_IsFound) {
  const std::string found = first_complaints(PlantedBug::ForgetsIds);
  EXPECT_TRUE(found.find("second outcome") != std::string::npos ||
              found.find("run again") != std::string::npos ||
              found.find("answered twice") != std::string::npos)
      << found;
}

TEST(PlantedBugs, NoDeadlineOfAnAttempt_IsFound) {
  EXPECT_NE(first_complaints(PlantedBug::NoAttemptDeadline).find("no deadline of its own"),
            std::string::npos);
}

}  // namespace
}  // namespace juggler
