// What is found on each board, read through its fixture tree, in memory and on a disk.

#include "telemetry/discovery.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "support/host_tree.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

using test::HostTree;

struct Expected {
  std::string tree;
  std::string board;
  BoardFamily family;
  std::string l4t;  // empty: none
  std::string jetpack;
  int mode = -1;  // -1: none
  std::string mode_name;
  int cores = 0;
  std::size_t clusters = 0;
  std::string gpu;
  std::size_t dla = 0;
  bool locked = false;
};

std::vector<Expected> boards() {
  using F = BoardFamily;
  return {
      {"jetson-nano-jp4", "jetson-nano", F::Jetson, "32.7.3", "4.6", 1, "5W", 2, 1, "57000000.gpu",
       0},
      {"xavier-nx-jp5", "jetson-xavier-nx", F::Jetson, "35.5.0", "5.x", 8, "MODE_20W_6CORE", 6, 1,
       "gv11b", 2},
      {"agx-xavier-jp5", "jetson-agx-xavier", F::Jetson, "35.4.1", "5.x", 2, "MODE_15W", 4, 1,
       "gv11b", 2, true},
      {"orin-nano-jp5", "jetson-orin-nano", F::Jetson, "35.4.1", "5.x", 1, "7W", 6, 2, "ga10b", 0},
      {"orin-nano-jp6", "jetson-orin-nano", F::Jetson, "36.4.3", "6.1 or later", 1, "25W", 6, 2,
       "17000000.gpu", 0},
      {"orin-nx-jp6", "jetson-orin-nx", F::Jetson, "36.4.0", "6.1 or later", 0, "MAXN_SUPER", 8, 1,
       "17000000.gpu", 2},
      {"agx-orin-jp6", "jetson-agx-orin", F::Jetson, "36.4.3", "6.1 or later", 0, "MAXN", 12, 1,
       "17000000.gpu", 2},
      {"raspberry-pi-4", "raspberry-pi-4", F::RaspberryPi, "", "", -1, "", 4, 1, "", 0},
      {"raspberry-pi-5", "raspberry-pi-5", F::RaspberryPi, "", "", -1, "", 4, 1, "", 0},
      {"x86-rapl", "x86-64", F::X86, "", "", -1, "", 4, 1, "", 0},
      {"plain-linux", "example-single-board-computer", F::Other, "", "", -1, "", 2, 1, "", 0}};
}

void expect(const Discovery& found, const Expected& expected) {
  SCOPED_TRACE(expected.tree);
  EXPECT_EQ(found.board, expected.board);
  EXPECT_EQ(found.family, expected.family);
  EXPECT_EQ(found.l4t.value.value_or(""), expected.l4t);
  EXPECT_EQ(found.jetpack.value.value_or(""), expected.jetpack);
  EXPECT_EQ(found.power_mode.value.has_value(), expected.mode >= 0);
  if (found.power_mode.value.has_value()) {
    EXPECT_EQ(found.power_mode.value->id, expected.mode);
    EXPECT_EQ(found.power_mode.value->name, expected.mode_name);
  } else {
    EXPECT_EQ(found.power_mode.why, Absence::Missing);
  }
  EXPECT_EQ(found.cores_online, expected.cores);
  EXPECT_EQ(found.clusters.size(), expected.clusters);
  EXPECT_EQ(found.gpu.value.has_value() ? found.gpu.value->name : "", expected.gpu);
  if (found.gpu.value.has_value()) {
    EXPECT_FALSE(found.gpu.value->load_file.empty());
    EXPECT_GT(found.gpu.value->hz_max, 0);
  }
  EXPECT_EQ(found.dla.value.has_value() ? found.dla.value->size() : 0, expected.dla);
  EXPECT_EQ(found.clocks_locked.value.value_or(false), expected.locked);
  ASSERT_TRUE(found.memory.value.has_value());
  EXPECT_GT(found.memory.value->count, 1'000'000'000);
  EXPECT_EQ(found.memory_unified, expected.family == BoardFamily::Jetson);
  EXPECT_EQ(found.container, ContainerKind::None);
}

TEST(Discovery, EachBoard_SaysWhatItHas) {
  for (const Expected& board : boards()) {
    HostTree tree = HostTree::fixture(board.tree);
    expect(discover(tree, tree), board);
  }
}

// The same through real files, with links that are absolute and a root that is mounted elsewhere.
TEST(Discovery, EachBoardUnderAnotherRoot_SaysTheSame) {
  for (const Expected& board : boards()) {
    const test::TempFolder folder;
    HostTree::fixture(board.tree).unpack(folder.path());
    DiskFiles disk(folder.path().string() + "/");
    expect(discover(disk, disk), board);
  }
}

TEST(Discovery, DlaCaps_AreThoseOfItsFolder) {
  HostTree tree = HostTree::fixture("orin-nx-jp6");
  const Discovery found = discover(tree, tree);
  ASSERT_TRUE(found.dla.value.has_value());
  EXPECT_EQ(found.dla.value->front().hz_cap, 614'400'000);
}

TEST(Discovery, GroupLimits_AreTheTightestOnTheWayUp) {
  HostTree tree = HostTree::fixture("x86-rapl");
  EXPECT_EQ(discover(tree, tree).limits.cpu_millicores.value, 2500);
  EXPECT_EQ(discover(tree, tree).limits.memory.value, Bytes{2'147'483'648});
  tree.set("sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
  const Discovery found = discover(tree, tree);
  EXPECT_EQ(found.limits.memory.value, Bytes{1'073'741'824});
  EXPECT_EQ(found.limits.memory.source, "sys/fs/cgroup/system.slice/memory.max");
}

TEST(Discovery, GroupLimitsOfVersionOne_AreRead) {
  HostTree tree = HostTree::fixture("jetson-nano-jp4");
  EXPECT_FALSE(discover(tree, tree).limits.memory.value.has_value());  // a huge number is none
  EXPECT_FALSE(discover(tree, tree).limits.cpu_millicores.value.has_value());
  tree.set("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
  tree.set("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(discover(tree, tree).limits.memory.value, Bytes{536'870'912});
  EXPECT_EQ(discover(tree, tree).limits.cpu_millicores.value, 1500);
}

TEST(Discovery, AContainerWithMaskedFirmware_SaysSo) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder.path() / "sys/firmware");
  HostTree own = HostTree::parse(".dockerenv =\n");
  DiskFiles host(folder.path().string());
  const Discovery found = discover(host, own);
  EXPECT_EQ(found.container, ContainerKind::Docker);
  EXPECT_TRUE(found.firmware_masked);
  EXPECT_EQ(found.model.why, Absence::Masked);
}

TEST(Discovery, FilesThatAreMissingDeniedOrGarbage_AreAbsentWithTheReason) {
  for (const Expected& board : boards()) {
    const HostTree whole = HostTree::fixture(board.tree);
    for (const std::string& path : whole.files()) {
      SCOPED_TRACE(board.tree + ": " + path);
      HostTree without = whole;
      without.remove(path);
      static_cast<void>(discover(without, without));
      HostTree denied = whole;
      denied.fail(path, EACCES);
      static_cast<void>(discover(denied, denied));
      HostTree garbage = whole;
      garbage.set(path, std::string("\xff\x00-99999999999999999999 {[", 26));
      static_cast<void>(discover(garbage, garbage));
    }
  }
  HostTree tree = HostTree::fixture("orin-nano-jp6");
  tree.fail("var/lib/nvpmodel/status", EACCES);
  tree.set("etc/nv_tegra_release", "nothing of the kind");
  tree.set("proc/meminfo", "MemTotal: lots\n");
  tree.remove("sys/class/devfreq/17000000.gpu");
  const Discovery found = discover(tree, tree);
  EXPECT_EQ(found.power_mode.why, Absence::Denied);
  EXPECT_EQ(found.l4t.why, Absence::Malformed);
  EXPECT_EQ(found.memory.why, Absence::Malformed);
  EXPECT_EQ(found.gpu.why, Absence::Missing);
  EXPECT_EQ(found.board, "jetson-orin-nano");
}

}  // namespace
}  // namespace juggler
