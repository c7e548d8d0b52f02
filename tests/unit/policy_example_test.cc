// The policy that docs/policies.md leads through: it does what the page says, it keeps every
// promise in a simulated world, and the page shows the file as it is.

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "core/planner.h"
#include "sim/random_world.h"
#include "support/builders.h"

namespace juggler {

std::unique_ptr<Policy> make_quietest_device_policy();  // docs/examples/quietest_device.cc

namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::submission;
using test::variant;

std::string text_of(const std::string& path) {
  std::ifstream in(std::string(JUGGLER_SOURCE_DIR) + "/" + path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

TEST(PolicyExample, ThePage_ShowsTheFileAsItIs) {
  const std::string page = text_of("docs/policies.md");
  const std::string begin = "```cpp\n";
  const std::size_t at = page.find(begin);
  ASSERT_NE(at, std::string::npos);
  const std::size_t first = at + begin.size();
  EXPECT_EQ(page.substr(first, page.find("```", first) - first),
            text_of("docs/examples/quietest_device.cc"));
}

TEST(PolicyExample, ThePage_QuotesTheNeighboursAsTheyAre) {
  const std::string page = text_of("docs/policies.md");
  const std::string declared = "std::unique_ptr<Policy> make_random_policy();\n";
  const std::string named = "    {\"random\", plain<make_random_policy>},\n";
  EXPECT_NE(page.find(declared), std::string::npos);
  EXPECT_NE(page.find(named), std::string::npos);
  EXPECT_NE(text_of("src/core/policies/policy.h").find(declared), std::string::npos);
  EXPECT_NE(text_of("src/core/policies/policy.cc").find(named), std::string::npos);
}

TEST(PolicyExample, ChoosesTheQuietestDeviceAndThereTheLeastEnergy) {
  // "busy" is the more frugal one, but has a task; "idle" has two ways, the slow one the frugal
  // one.
  Fleet fleet =
      fleet_of({device("busy").serves(variant("small-fp32"), milliseconds(20), energy_mj(10)),
                device("idle")
                    .serves(variant("large-fp32"), milliseconds(10), energy_mj(90))
                    .serves(variant("small-fp32"), milliseconds(40), energy_mj(30))});
  const auto fill = [&fleet](const std::string& id) {
    fleet.find_to_change(id)->lanes[0].in_flight.push_back(
        {.batch = 1, .open = 1, .mean = milliseconds(20)});
  };
  const auto place = [&fleet] {
    Planner planner(make_quietest_device_policy());
    Rng rng(1);
    const Submission task = submission("t");
    const Decision decision = planner.plan(fleet,
                                           {.number = 1,
                                            .requirements = &task.requirements,
                                            .model = "imagenet",
                                            .payload = task.payload.kind,
                                            .deadline = Time{2'000'000}},
                                           Time{1'000'000}, rng);
    const auto* placed = std::get_if<Place>(&decision);
    return placed != nullptr ? test::name_of(fleet, placed->candidate) : "nowhere";
  };
  EXPECT_EQ(place(), "busy/small-fp32");  // as quiet as the other
  fill("busy");
  EXPECT_EQ(place(), "idle/small-fp32");
}

TEST(PolicyExample, InRandomWorlds_KeepsEveryPromise) {
  std::uint64_t completed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::RandomWorld random = sim::random_world(seed);
    random.options.make_policy = make_quietest_device_policy;
    const sim::RunResult result = sim::World(random.scenario, std::move(random.options)).run();
    EXPECT_TRUE(result.complaints.empty()) << "seed " << seed << ": " << result.complaints.front();
    completed += result.completed;
  }
  EXPECT_GT(completed, 100U);
}

}  // namespace
}  // namespace juggler
