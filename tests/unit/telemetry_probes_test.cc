// What the probes say of each board, and of sensors that fail, vanish, come back or start anew.

#include <gtest/gtest.h>

#include <cerrno>

#include "support/host_tree.h"
#include "telemetry/board_probes.h"
#include "telemetry/host_probes.h"
#include "telemetry/host_sampler.h"
#include "telemetry/power_rails.h"

namespace juggler {
namespace {

using test::HostTree;

// The firmware of a Raspberry Pi: its answers stand in the tree below _gencmd.
class TreeMailbox final : public Mailbox {
 public:
  explicit TreeMailbox(HostTree& tree) : tree_(tree) {}
  Fact<std::string> ask(const std::string& command) override {
    return tree_.text("_gencmd/" + command);
  }

 private:
  HostTree& tree_;
};

class Machine {
 public:
  explicit Machine(const std::string& fixture)
      : tree(HostTree::fixture(fixture)),
        mailbox_(tree),
        found(discover(tree, tree)),
        probes(tree, tree, found, found.family == BoardFamily::RaspberryPi ? &mailbox_ : nullptr) {}

  Readings sample() {
    now = now + seconds(1);
    return probes.sample(now);
  }

  HostTree tree;

 private:
  TreeMailbox mailbox_;

 public:
  Discovery found;
  HostProbes probes;
  Time now{0};
};

const Reading* reading_of(const Readings& readings, const std::string& name) {
  for (const Reading& reading : readings.list()) {
    if (reading.name == name) {
      return &reading;
    }
  }
  return nullptr;
}

struct Expected {
  std::string tree;
  std::vector<std::pair<std::string, std::int64_t>> values;
};

TEST(Probes, EachBoard_SaysItsValues) {
  const std::vector<Expected> boards{
      {"jetson-nano-jp4",
       {{"gpu.load_permille", 314},
        {"gpu.clock_hz", 153'600'000},
        {"power.POM_5V_IN_mw", 2345},
        {"power.POM_5V_CPU_mw", 686},
        {"temperature.CPU-therm_millicelsius", 41'000}}},
      {"xavier-nx-jp5",
       {{"gpu.load_permille", 658},
        {"dla.0.active", 1},
        {"dla.1.active", 0},
        {"power.VDD_IN_mw", 6488},
        {"throttle.now", 1},
        {"throttle.events_count", 0}}},
      {"agx-xavier-jp5", {{"power.CV_mw", 0}, {"power.SYS5V_mw", 2435}}},
      {"orin-nano-jp5", {{"power.VDD_IN_mw", 5160}, {"gpu.load_permille", 123}}},
      {"orin-nano-jp6",
       {{"power.VDD_IN_mw", 5160},
        {"power.VDD_SOC_mw", 1449},
        {"gpu.clock_hz", 408'000'000},
        {"temperature.tj-thermal_millicelsius", 50'406},
        {"pressure.memory_permille", 2},
        {"throttle.now", 0}}},
      {"orin-nx-jp6", {{"power.VDD_IN_mw", 12'001}, {"dla.0.active", 1}, {"dla.1.active", 0}}},
      {"agx-orin-jp6", {{"power.VDDQ_VDD2_1V8AO_mw", 603}, {"gpu.load_permille", 55}}},
      {"raspberry-pi-4",
       {{"throttle.now", 1},
        {"throttle.under_voltage_now", 1},
        {"temperature.cpu-thermal_millicelsius", 61'835}}},
      {"raspberry-pi-5",
       {{"throttle.now", 0},
        {"throttle.under_voltage_now", 0},
        {"throttle.under_voltage_since_boot", 1}}},
      {"x86-rapl",
       {{"temperature.x86_pkg_temp_millicelsius", 54'000},
        {"group.cpu_millicores", 2500},
        {"group.throttled_count", 3},
        {"memory.available_bytes", 2'042'626'048}}},
      {"plain-linux", {{"memory.available_bytes", 1'228'800'000}}}};
  for (const Expected& board : boards) {
    SCOPED_TRACE(board.tree);
    Machine machine(board.tree);
    const Readings readings = machine.sample();
    for (const auto& [name, value] : board.values) {
      EXPECT_EQ(readings.value(name), value) << name;
    }
    for (const Reading& reading : readings.list()) {
      EXPECT_FALSE(reading.source.empty()) << reading.name;
      EXPECT_EQ(reading.at, machine.now) << reading.name;
    }
  }
}

TEST(Probes, TotalOfTheRails_CountsNoneTwice) {
  const auto total = [](const std::string& fixture) {
    HostTree tree = HostTree::fixture(fixture);
    std::string names;
    const RailTotal found = total_of(find_rails(tree));
    for (const PowerRail& rail : found.rails) {
      names += rail.name + " ";
    }
    return names + std::string(to_string(found.scope));
  };
  EXPECT_EQ(total("jetson-nano-jp4"), "POM_5V_IN module-rail");
  EXPECT_EQ(total("orin-nano-jp6"), "VDD_IN module-rail");
  EXPECT_EQ(total("agx-xavier-jp5"), "GPU CPU SOC CV VDDRQ SYS5V rail-sum");
  EXPECT_EQ(total("agx-orin-jp6"), "VDD_GPU_SOC VDD_CPU_CV VIN_SYS_5V0 rail-sum");
}

TEST(Probes, RailsWithUnknownLabels_HaveNoTotal) {
  HostTree tree = HostTree::fixture("orin-nano-jp6");
  tree.set("sys/class/hwmon/hwmon1/in1_label", "VDD_NEW\n");
  EXPECT_EQ(find_rails(tree).size(), 3U);
  EXPECT_TRUE(total_of(find_rails(tree)).rails.empty());
}

TEST(Probes, AZoneWhoseDomainIsOff_HasNoDataAndNoNumber) {
  Machine machine("orin-nano-jp6");
  const Readings readings = machine.sample();
  const Reading* zone = reading_of(readings, "temperature.cv0-thermal_millicelsius");
  ASSERT_NE(zone, nullptr);
  EXPECT_FALSE(zone->value.has_value());
  EXPECT_EQ(zone->why, Absence::NoData);
  EXPECT_EQ(summary_of(readings).temperature_millicelsius, 50'406);
}

TEST(Probes, AConstantZone_IsLeftOut) {
  Machine machine("jetson-nano-jp4");
  EXPECT_EQ(reading_of(machine.sample(), "temperature.PMIC-Die_millicelsius"), nullptr);
}

TEST(Probes, CpuLoad_IsThatSinceTheLastSample) {
  Machine machine("plain-linux");
  EXPECT_EQ(reading_of(machine.sample(), "cpu.load_permille")->why, Absence::NoData);
  machine.tree.set("proc/stat",
                   "cpu  100 0 0 300 0 0 0 0 0 0\ncpu0 80 0 0 100 0 0 0 0 0 0\n"
                   "cpu1 20 0 0 200 0 0 0 0 0 0\n");
  EXPECT_FALSE(machine.sample().value("cpu.load_permille").has_value());  // it went back: a restart
  machine.tree.set("proc/stat",
                   "cpu  200 0 0 500 0 0 0 0 0 0\ncpu0 180 0 0 100 0 0 0 0 0 0\n"
                   "cpu1 20 0 0 400 0 0 0 0 0 0\n");
  const Readings readings = machine.sample();
  EXPECT_EQ(readings.value("cpu.load_permille"), 333);
  EXPECT_EQ(readings.value("cpu.0.load_permille"), 1000);
  EXPECT_EQ(readings.value("cpu.1.load_permille"), 0);
}

TEST(Probes, ACoreThatGoesOffline_StartsAnewWhenItIsBack) {
  Machine machine("plain-linux");
  machine.tree.set("proc/stat", "cpu  100 0 0 300 0 0 0 0\ncpu1 80 0 0 100 0 0 0 0\n");
  machine.sample();
  machine.tree.set("proc/stat", "cpu  200 0 0 400 0 0 0 0\n");
  EXPECT_EQ(reading_of(machine.sample(), "cpu.1.load_permille"), nullptr);
  machine.tree.set("proc/stat", "cpu  300 0 0 500 0 0 0 0\ncpu1 90 0 0 120 0 0 0 0\n");
  EXPECT_FALSE(machine.sample().value("cpu.1.load_permille").has_value());
}

TEST(Probes, NetworkRates_AreOfTheTimeThatPassed) {
  Machine machine("plain-linux");
  machine.tree.set("proc/net/dev", " eth0: 1000 0 0 0 0 0 0 0 500 0\n");
  machine.sample();
  machine.tree.set("proc/net/dev", " eth0: 5000 0 0 0 0 0 0 0 700 0\n");
  machine.now = machine.now + seconds(1);  // two seconds
  const Readings readings = machine.sample();
  EXPECT_EQ(readings.value("network.received_bytes_per_s"), 2000);
  EXPECT_EQ(readings.value("network.sent_bytes_per_s"), 100);
  machine.tree.set("proc/net/dev", " eth0: 10 0 0 0 0 0 0 0 10 0\n");  // it was taken down
  EXPECT_EQ(machine.sample().value("network.received_bytes_per_s"), 0);
}

TEST(Probes, ACounterThatMoves_IsThrottlingUntilItStops) {
  Machine machine("orin-nano-jp6");
  EXPECT_EQ(machine.sample().value("throttle.now"), 0);
  machine.tree.set("sys/class/hwmon/hwmon2/oc2_event_cnt", "4\n");
  const Readings moved = machine.sample();
  EXPECT_EQ(moved.value("throttle.now"), 1);
  EXPECT_EQ(moved.value("throttle.events_count"), 4);
  EXPECT_EQ(machine.sample().value("throttle.now"), 0);
  machine.tree.set("sys/class/hwmon/hwmon2/oc2_event_cnt", "1\n");  // the driver was loaded anew
  const Readings fresh = machine.sample();
  EXPECT_EQ(fresh.value("throttle.now"), 0);
  EXPECT_EQ(fresh.value("throttle.events_count"), 0);
}

TEST(Probes, SensorsThatVanish_AreAbsentAndComeBack) {
  Machine machine("orin-nano-jp6");
  machine.sample();
  machine.tree.remove("sys/class/hwmon/hwmon1/curr1_input");
  machine.tree.fail("sys/devices/platform/bus@0/17000000.gpu/load", EIO);
  machine.tree.set("sys/class/thermal/thermal_zone0/temp", "-256000\n");
  const Readings without = machine.sample();
  EXPECT_EQ(reading_of(without, "power.VDD_IN_mw")->why, Absence::Missing);
  EXPECT_EQ(reading_of(without, "gpu.load_permille")->why, Absence::Failed);
  EXPECT_EQ(reading_of(without, "temperature.cpu-thermal_millicelsius")->why, Absence::Malformed);
  EXPECT_FALSE(summary_of(without).gpu_load_permille.has_value());
  machine.tree.set("sys/class/hwmon/hwmon1/curr1_input", "1000\n");
  EXPECT_EQ(machine.sample().value("power.VDD_IN_mw"), 5040);
}

TEST(Probes, AnyFileMissingDeniedOrGarbage_NeverBecomesANumberThatIsNone) {
  for (const char* fixture :
       {"jetson-nano-jp4", "xavier-nx-jp5", "agx-orin-jp6", "raspberry-pi-5", "x86-rapl"}) {
    for (const std::string& path : HostTree::fixture(fixture).files()) {
      SCOPED_TRACE(std::string(fixture) + ": " + path);
      Machine machine(fixture);
      machine.sample();
      machine.tree.fail(path, EACCES);
      machine.sample();
      machine.tree.set(path, "-99999999999999999999 \xff garbage");
      const Readings garbage = machine.sample();
      const HostSample summary = summary_of(garbage);
      EXPECT_GE(summary.temperature_millicelsius.value_or(0), -40'000);
      EXPECT_LE(summary.cpu_load_permille.value_or(0), 1000);
      EXPECT_GE(summary.memory_free.value_or(Bytes{0}), Bytes{0});
      machine.tree.remove(path);
      machine.sample();
    }
  }
}

TEST(Sampler, OnThisMachine_HasASummaryAtOnceAndSamplesOn) {
  HostSampler sampler({.host_root = "/", .period = milliseconds(5)});
  EXPECT_TRUE(sampler.summary().memory_free.has_value());
  EXPECT_TRUE(sampler.summary().age.has_value());
  const Time first = sampler.readings()->now();
  while (sampler.readings()->now() == first) {
    std::this_thread::yield();
  }
  EXPECT_GT(sampler.readings()->now(), first);
}

}  // namespace
}  // namespace juggler
