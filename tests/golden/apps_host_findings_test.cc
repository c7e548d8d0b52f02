// What the doctor says of each board, and the one command or mount that mends what is missing.

#include "apps/host_findings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "support/host_tree.h"

namespace juggler {
namespace {

using test::HostTree;

Finding finding_of(HostTree host, HostTree own, const std::string& what) {
  const Discovery found = discover(host, own);
  const std::vector<Finding> findings = host_findings(found, host);
  const auto at = std::find_if(findings.begin(), findings.end(),
                               [&](const Finding& finding) { return finding.what == what; });
  return at != findings.end() ? *at : Finding{};
}

Finding finding_of(const std::string& fixture, const std::string& what) {
  const HostTree tree = HostTree::fixture(fixture);
  return finding_of(tree, tree, what);
}

TEST(HostFindings, AJetson_SaysBoardReleaseProcessorsAndMode) {
  EXPECT_EQ(finding_of("orin-nano-jp6", "board").found,
            "NVIDIA Jetson Orin Nano Developer Kit Super (jetson-orin-nano), tegra234, L4T 36.4.3 "
            "(JetPack 6.1 or later)");
  EXPECT_EQ(finding_of("orin-nano-jp6", "processors").found,
            "4 cores to 1344 MHz and 2 cores to 1497 MHz, GPU 17000000.gpu to 918 MHz, no DLA");
  EXPECT_EQ(finding_of("orin-nx-jp6", "processors").found,
            "8 cores to 1984 MHz, GPU 17000000.gpu to 1173 MHz, 2 DLA cores (TensorRT decides "
            "whether they can be used)");
  EXPECT_EQ(finding_of("orin-nano-jp6", "power mode").found, "25W (id 1)");
  EXPECT_EQ(finding_of("agx-xavier-jp5", "clocks").found, "locked at their highest");
}

TEST(HostFindings, AFreshJetson_IsToldHowToSetItsMode) {
  HostTree tree = HostTree::fixture("orin-nano-jp6");
  tree.remove("var/lib/nvpmodel/status");
  const Finding mode = finding_of(tree, tree, "power mode");
  EXPECT_EQ(mode.state, Finding::State::Note);
  EXPECT_EQ(mode.remedy, "sudo nvpmodel -m ID sets one, and writes it down");
}

TEST(HostFindings, AContainerWithoutItsHostsFiles_IsToldTheMounts) {
  HostTree host = HostTree::fixture("orin-nano-jp6");
  host.remove("etc/nv_tegra_release");
  const Finding board = finding_of(host, HostTree::parse(".dockerenv =\n"), "board");
  EXPECT_EQ(board.state, Finding::State::Note);
  EXPECT_NE(board.remedy.find("-v /etc/nv_tegra_release:/host/etc/nv_tegra_release:ro"),
            std::string::npos);
  EXPECT_NE(board.remedy.find("--host-root /host"), std::string::npos);
}

TEST(HostFindings, Limits_AreThoseOfThisProcess) {
  EXPECT_EQ(finding_of("x86-rapl", "limits here").found,
            "2.50 cores (sys/fs/cgroup/system.slice/juggler.service/cpu.max), 2 GiB of memory "
            "(sys/fs/cgroup/system.slice/juggler.service/memory.max)");
  EXPECT_EQ(finding_of("raspberry-pi-4", "limits here").found, "none by control groups");
}

TEST(HostFindings, TheMeter_IsNamedWithItsScopeOrWithWhatMendsIt) {
  HostTree orin = HostTree::fixture("orin-nano-jp6");
  const Finding meter = meter_finding(discover(orin, orin), orin, nullptr);
  EXPECT_EQ(meter.found, "ina3221 VDD_IN, module-rail, 5.16 W now");
  EXPECT_EQ(meter.state, Finding::State::Works);
  HostTree x86 = HostTree::fixture("x86-rapl");
  x86.fail("sys/class/powercap/intel-rapl:0/energy_uj", EACCES);
  EXPECT_NE(meter_finding(discover(x86, x86), x86, nullptr).found.find("sudo chmod a+r"),
            std::string::npos);
}

TEST(HostFindings, AKernelWithoutPressure_IsNoted) {
  EXPECT_EQ(finding_of("jetson-nano-jp4", "pressure").state, Finding::State::Note);
  EXPECT_EQ(finding_of("orin-nano-jp6", "pressure").what, "");
}

}  // namespace
}  // namespace juggler
