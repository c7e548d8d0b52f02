// Tests that scenario files are read as docs/scenarios.md says, and refused by line, key and
// reason.

#include "sim/scenario_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "sim/workload.h"

namespace juggler {
namespace {

constexpr const char* kScenario = R"(about = "A test."
seed = 7
policy = "fastest-finish"
duration_s = 30
warm_up_s = 2.5
rate_hz = 40.0
[[device]]
board = "jetson-orin-nano"
id = "orin"
count = 2
[[device]]
board = "raspberry-pi-5"
network = "lte_driving"
[[class]]
name = "a"
share = 3
min_accuracy = 75
deadline_ms = 200
priority = 4
max_energy_mj = 500
[[class]]
name = "b"
[[fault]]
at_s = 4
lasts_s = 2
kind = "throttle"
device = "orin-1"
factor = 2.5
[expect]
answered = "all"
miss_ratio_max = 0.08
[controller]
lost_after_ms = 4000
)";

Result<Scenario> parse(const std::string& text) { return parse_scenario(text, "s.toml", ""); }

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class Folder {
 public:
  Folder() {
    path_ = std::filesystem::temp_directory_path() /
            (std::string("juggler-scenarios-") +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

TEST(ScenarioFile, EveryPart_IsReadInItsUnit) {
  const Result<Scenario> read = parse(kScenario);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->name, "s");
  EXPECT_EQ(read->seed, 7U);
  EXPECT_EQ(read->policy, "fastest-finish");
  EXPECT_EQ(read->duration, seconds(30));
  EXPECT_EQ(read->warm_up, milliseconds(2500));
  EXPECT_EQ(read->controller.lost_after, seconds(4));
  ASSERT_EQ(read->devices.size(), 3U);
  EXPECT_EQ(read->devices[0].announced.id, "orin-1");
  EXPECT_EQ(read->devices[2].announced.id, "raspberry-pi-5-1");
  EXPECT_EQ(read->devices[2].network.rtt, milliseconds(84));
  EXPECT_EQ(read->devices[2].network.bandwidth_kbits, 7100);
  EXPECT_EQ(read->devices[0].network.name, "lan");
  EXPECT_TRUE(read->devices[0].announced.twin);
  EXPECT_EQ(read->devices[0].truth, read->devices[0].announced);
  ASSERT_EQ(read->classes.size(), 2U);
  const DemandClass& a = read->classes[0];
  EXPECT_EQ(a.requirements.min_accuracy, MilliPercent{75'000});
  EXPECT_EQ(a.requirements.deadline, milliseconds(200));
  EXPECT_EQ(a.requirements.max_energy, Microjoules{500'000});
  EXPECT_EQ(a.requirements.priority, 4);
  EXPECT_DOUBLE_EQ(a.arrivals.rate.hz, 30.0);
  EXPECT_DOUBLE_EQ(a.share, 0.75);
  EXPECT_DOUBLE_EQ(read->classes[1].arrivals.rate.hz, 10.0);
  EXPECT_EQ(a.arrivals.until, seconds(30));
  ASSERT_EQ(read->faults.size(), 1U);
  EXPECT_EQ(read->faults[0].kind, FaultKind::Throttle);
  EXPECT_EQ(read->faults[0].lasts, seconds(2));
  EXPECT_EQ(read->expectations.size(), 2U);
  EXPECT_FALSE(needs_capacity(*read));
}

TEST(ScenarioFile, PartitionOfTheLeader_HasItsOwnDirections) {
  const Result<Scenario> read =
      parse(with(kScenario, "kind = \"throttle\"\ndevice = \"orin-1\"\nfactor = 2.5",
                 "kind = \"controller-partition\"\ndirection = \"from-controller\""));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->faults[0].kind, FaultKind::ControllerPartition);
  EXPECT_EQ(read->faults[0].direction, LinkDirection::FromMachine);
}

TEST(ScenarioFile, ProcessesOfClasses_AreRead) {
  const auto shape_of = [](const std::string& arrivals) {
    const Result<Scenario> read =
        parse(with(kScenario, "name = \"b\"", "name = \"b\"\n[class.arrivals]\n" + arrivals));
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return read ? read->classes[1].arrivals.shape : ArrivalShape{};
  };
  EXPECT_EQ(shape_of("process = \"constant\"\ncameras = 3"), ArrivalShape{ConstantArrivals{3}});
  EXPECT_EQ(shape_of("process = \"gamma\"\ncv = 2"), ArrivalShape{GammaArrivals{2.0}});
  EXPECT_EQ(shape_of("process = \"on-off\"\nburst_factor = 3\nhigh_s_mean = 2\nlow_s_mean = 8"),
            (ArrivalShape{OnOffArrivals{3.0, seconds(2), seconds(8)}}));
  EXPECT_EQ(shape_of("process = \"diurnal\"\namplitude = 0.5\nperiod_s = 60"),
            (ArrivalShape{DiurnalArrivals{0.5, seconds(60), Micros{0}}}));
  EXPECT_EQ(shape_of("process = \"flash-crowd\"\nfactor = 4\nat_s = 5\nlasts_s = 2"),
            (ArrivalShape{FlashCrowdArrivals{4.0, seconds(5), seconds(2)}}));
  EXPECT_EQ(shape_of("process = \"ramp\"\nend_hz = 50"), (ArrivalShape{RampArrivals{{50.0, 0.0}}}));
}

TEST(ScenarioFile, SharedRamp_EndsAtEachClassesShare) {
  const std::string ramp = "[arrivals]\nprocess = \"ramp\"\nend_hz = 80\n[[class]]";
  const Result<Scenario> read = parse(with(kScenario, "[[class]]", ramp));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_DOUBLE_EQ(std::get<RampArrivals>(read->classes[0].arrivals.shape).end.hz, 60.0);
  EXPECT_DOUBLE_EQ(std::get<RampArrivals>(read->classes[1].arrivals.shape).end.hz, 20.0);
}

TEST(ScenarioFile, Load_IsSharedAndWaitsForTheCapacity) {
  Result<Scenario> read = parse(with(kScenario, "rate_hz = 40.0", "load = 0.8"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_TRUE(needs_capacity(*read));
  scale_rates(*read, 100.0);
  EXPECT_DOUBLE_EQ(read->classes[0].arrivals.rate.hz, 60.0);
  EXPECT_DOUBLE_EQ(read->classes[1].arrivals.rate.hz, 20.0);
}

// The median device of three is an Orin: its best time for 75 % or more; the longest way is LTE's,
// 84 ms with three times 4 ms, and 15 kB at 7.1 Mbit/s; and the broker.
TEST(ScenarioFile, DeadlineInServices_IsThatManyTimesTheMedianDevice) {
  const Result<Scenario> read =
      parse(with(kScenario, "deadline_ms = 200", "deadline_services = 8"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  Micros best{INT64_MAX};
  for (const Processor& processor : read->devices[0].announced.processors) {
    for (const Profile& profile : processor.profiles) {
      const Variant* variant = read->devices[0].announced.find_variant(profile.variant);
      if (variant->accuracy >= MilliPercent{75'000}) {
        best = std::min(best, profile.points.front().latency_mean);
      }
    }
  }
  const Micros exact = best * 8 + milliseconds(84 + 12) + Micros{16'901} + milliseconds(3);
  EXPECT_GE(*read->classes[0].requirements.deadline, exact);
  EXPECT_LT(*read->classes[0].requirements.deadline, exact + milliseconds(1));
}

TEST(ScenarioFile, Choices_LimitWhatADeviceHas) {
  const Result<Scenario> read = parse(with(
      kScenario, "count = 2", "count = 2\nvariants = [\"resnet50\"]\nprocessors = [\"gpu0\"]"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  const ScenarioDevice& orin = read->devices[0];
  ASSERT_EQ(orin.announced.processors.size(), 1U);
  ASSERT_EQ(orin.announced.processors[0].profiles.size(), 2U);
  EXPECT_EQ(orin.announced.processors[0].profiles[1].variant, "resnet50-int8");
  EXPECT_EQ(orin.announced.variants.size(), 2U);
  ASSERT_EQ(orin.intervals.latency.size(), 1U);
  EXPECT_EQ(orin.intervals.latency[0].size(), 2U);
}

TEST(ScenarioFile, WrongWords_NameLineKeyAndWhatIsAllowed) {
  struct Case {
    const char* from;
    const char* to;
    const char* expected;
  };
  const Case cases[] = {
      {"seed = 7", "sede = 7", "s.toml:2: 'sede': is no key here. Did you mean 'seed'?"},
      {"rate_hz = 40.0", "rate = 40.0", "s.toml:6: 'rate': is no key here. Did you mean 'rate_hz'"},
      {"seed = 7", "seed = -1", "s.toml:2: 'seed': must be a whole number from 0"},
      {"\"fastest-finish\"", "\"fastest\"", "'fastest' is no policy. Did you mean"},
      {"duration_s = 30", "duration_s = 1e9", "s.toml:4: 'duration_s': must be a number from"},
      {"duration_s = 30", "duration_s = 1", "warm_up_s must be less than duration_s"},
      {"rate_hz = 40.0", "rate_hz = 40.0\nload = 0.5", "give one of them"},
      {"rate_hz = 40.0", "", "has no rate: give rate_hz or load"},
      {"count = 2", "count = 5000", "'count': must be a whole number from 1 to 4096"},
      {"id = \"orin\"", "id = \"Orin 1\"", "must be of [a-z0-9-]"},
      {"jetson-orin-nano", "jetson-orin-nan", "Did you mean 'jetson-orin-nano'?"},
      {"\"lte_driving\"", "\"lte\"", "s.toml:12: no network profile 'lte'. Did you mean"},
      {"count = 2", "variants = [\"resnet51\"]", "has no variant 'resnet51'. Did you mean"},
      {"count = 2", "processors = [\"gpu\"]", "has no processor 'gpu'. Did you mean 'gpu0'?"},
      {"min_accuracy = 75", "min_accuracy = 101", "'min_accuracy': must be a number from 0 to 100"},
      {"priority = 4", "priority = 10", "'priority': must be a whole number from 0 to 9"},
      {"name = \"b\"", "name = \"a\"", "class 'a' is there twice"},
      {"share = 3", "load = 0.5", "some classes have a load and some a rate"},
      {"share = 3", "from_s = 31", "from from_s to a later until_s"},
      {"min_accuracy = 75\ndeadline_ms = 200", "min_accuracy = 99\ndeadline_services = 3",
       "no device can serve it"},
      {"\"throttle\"", "\"trottle\"", "'trottle' is not one of: message-loss, "},
      {"factor = 2.5", "", "'factor': is missing"},
      {"\"throttle\"", "\"controller-freeze\"", "'device': controller-freeze is of no device"},
      {"kind = \"throttle\"\ndevice = \"orin-1\"\nfactor = 2.5",
       "kind = \"client-partition\"\ndirection = \"to-device\"",
       "'to-device' is not one of: both, to-client, from-client"},
      {"factor = 2.5", "factor = 2.5\nprobability = 1", "'probability': is no key here"},
      {"device = \"orin-1\"", "device = \"orin-9\"", "no device 'orin-9'. Did you mean 'orin-1'?"},
      {"at_s = 4", "at_s = 40", "at_s lies after the end of the scenario"},
      {"answered = \"all\"", "answered = \"most\"", "must be \"all\""},
      {"miss_ratio_max", "miss_ratio", "Did you mean 'miss_ratio_max'?"},
      {"lost_after_ms", "lost_after_s", "Did you mean 'lost_after_ms'?"},
      {"[[class]]", "[arrivals]\nprocess = \"gama\"\n[[class]]",
       "is not one of: poisson, constant"},
      {"[[class]]",
       "[arrivals]\nprocess = \"on-off\"\nburst_factor = 6\nhigh_s_mean = 2\n"
       "low_s_mean = 8\n[[class]]",
       "must be at most 1 + low_s_mean / high_s_mean"},
      {"[[class]]", "[arrivals]\nprocess = \"trace\"\nfile = \"/no\"\nform = \"times\"\n[[class]]",
       "cannot open the trace /no"},
      {"[[class]]", "[arrivals]\nprocess = \"ramp\"\nend_load = 1\n[[class]]", "same unit"},
      {"seed = 7", "include = [\"x.toml\"]", "'include': is no key here"},
      {"seed = 7", "drawn = 1", "must be true or false"},
  };
  for (const Case& wrong : cases) {
    const Result<Scenario> read = parse(with(kScenario, wrong.from, wrong.to));
    ASSERT_FALSE(read.has_value()) << wrong.to;
    EXPECT_NE(read.error().message.find(wrong.expected), std::string::npos) << wrong.to << "\n"
                                                                            << read.error().message;
  }
}

TEST(ScenarioFile, Includes_AddDevicesAndReplaceClasses) {
  const Folder folder;
  folder.write("fleets/two.toml", "[[device]]\nboard = \"jetson-nano\"\n[[class]]\nname = \"x\"\n");
  folder.write("half.toml", "load = 0.5\n[expect]\nmiss_ratio_max = 0.5\nanswered = \"all\"\n");
  const auto file = folder.write(
      "whole.toml",
      "include = [\"fleets/two.toml\", \"half.toml\"]\nload = 0.6\n"
      "[[device]]\nboard = \"jetson-nano\"\n[[class]]\nname = \"y\"\n[[class]]\nname = \"z\"\n"
      "[expect]\nmiss_ratio_max = 0.1\n");
  const Result<Scenario> read = load_scenario(file, "");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_EQ(read->devices.size(), 2U);
  EXPECT_EQ(read->devices[1].announced.id, "jetson-nano-2");
  ASSERT_EQ(read->classes.size(), 2U);
  EXPECT_EQ(read->classes[0].name, "y");
  EXPECT_DOUBLE_EQ(read->classes[0].arrivals.rate.load, 0.3);
  ASSERT_EQ(read->expectations.size(), 2U);
  EXPECT_DOUBLE_EQ(read->expectations[0].value, 0.1);
}

TEST(ScenarioFile, FileThatIncludesItself_EndsWithAReason) {
  const Folder folder;
  const auto file = folder.write("loop.toml", "include = [\"loop.toml\"]\n");
  const Result<Scenario> read = load_scenario(file, "");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("do they include each other?"), std::string::npos);
}

TEST(ScenarioFile, Trace_LiesBesideItsFile) {
  const Folder folder;
  folder.write("times.txt", "1\n2\n3\n4\n");
  const auto file = folder.write(
      "t.toml",
      "duration_s = 9\n[[device]]\nboard = \"jetson-nano\"\n[[class]]\nname = \"x\"\n"
      "[class.arrivals]\nprocess = \"trace\"\nform = \"times\"\nfile = \"times.txt\"\n");
  const Result<Scenario> read = load_scenario(file, "");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  Result<Workload> workload = Workload::open(*read);
  ASSERT_TRUE(workload.has_value()) << workload.error().message;
  EXPECT_EQ(workload->next()->at, Time{1'000'000});
}

TEST(ScenarioFile, PickedFaults_NameTheDevices) {
  std::string text = with(kScenario, "device = \"orin-1\"", "pick = \"slowest\"");
  Result<Scenario> read = parse(text);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_EQ(read->faults.size(), 1U);
  EXPECT_EQ(read->faults[0].device, "raspberry-pi-5-1");
  text = with(text, "pick = \"slowest\"", "pick = \"fastest\"\ndevices_percent = 60");
  read = parse(text);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_EQ(read->faults.size(), 2U);
  EXPECT_EQ(read->faults[0].device, "orin-1");
  EXPECT_EQ(read->faults[1].device, "orin-2");
}

// The checkout's own files are examples, tests and evidence at once.
TEST(ScenarioFile, TheCheckoutsOwn_AllLoadAndCanBeServed) {
  const std::vector<std::string> names = list_scenarios("");
  ASSERT_GE(names.size(), 7U * 17U);
  for (const std::string& name : names) {
    Result<Scenario> read = find_scenario(name, "");
    ASSERT_TRUE(read.has_value()) << name << ": " << read.error().message;
    EXPECT_FALSE(read->about.empty()) << name;
    EXPECT_FALSE(read->expectations.empty()) << name;
    for (const DemandClass& demand : read->classes) {
      bool served = false;
      for (const ScenarioDevice& device : read->devices) {
        for (const Processor& processor : device.announced.processors) {
          for (const Profile& profile : processor.profiles) {
            const Variant& variant = *device.announced.find_variant(profile.variant);
            const auto& wanted = demand.requirements;
            served = served ||
                     (variant.accuracy >= wanted.min_accuracy.value_or(MilliPercent{0}) &&
                      profile.points.front().latency_p95 + device.network.rtt < wanted.deadline);
          }
        }
      }
      EXPECT_TRUE(served) << name << " " << demand.name;
    }
  }
}

TEST(ScenarioFile, UnknownName_SaysWhichThereAre) {
  const Result<Scenario> read = find_scenario("home/brust", "");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::NotFound);
  EXPECT_NE(read.error().message.find("Did you mean 'home/burst'?"), std::string::npos);
  EXPECT_FALSE(find_scenario("../profiles/networks", "").has_value());
}

}  // namespace
}  // namespace juggler
