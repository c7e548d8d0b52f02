// Each meter on its board: where it sits, what it says, and what is in the way where there is none.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <thread>

#include "runtime/mutex.h"
#include "support/host_tree.h"
#include "support/temp_folder.h"
#include "telemetry/board_meters.h"
#include "telemetry/choose_meter.h"
#include "telemetry/estimate_meter.h"
#include "telemetry/metered_engine.h"
#include "telemetry/nvml_meter.h"
#include "telemetry/plug_meter.h"
#include "telemetry/rapl_meter.h"

namespace juggler {
namespace {

using test::HostTree;

class TreeMailbox final : public Mailbox {
 public:
  explicit TreeMailbox(HostTree& tree) : tree_(tree) {}
  Fact<std::string> ask(const std::string& command) override {
    return tree_.text("_gencmd/" + command);
  }

 private:
  HostTree& tree_;
};

struct Expected {
  std::string tree;
  std::string name;  // empty: none
  PowerScope scope = PowerScope::ModuleRail;
  std::int64_t mw = 0;
};

TEST(ChooseMeter, EachBoard_HasItsOwnWithItsScope) {
  const std::vector<Expected> boards{
      {"jetson-nano-jp4", "ina3221 POM_5V_IN", PowerScope::ModuleRail, 2345},
      {"xavier-nx-jp5", "ina3221 VDD_IN", PowerScope::ModuleRail, 6488},
      {"agx-xavier-jp5", "ina3221 GPU+CPU+SOC+CV+VDDRQ+SYS5V", PowerScope::RailSum, 7457},
      {"orin-nano-jp5", "ina3221 VDD_IN", PowerScope::ModuleRail, 5160},
      {"orin-nano-jp6", "ina3221 VDD_IN", PowerScope::ModuleRail, 5160},
      {"orin-nx-jp6", "ina3221 VDD_IN", PowerScope::ModuleRail, 12'001},
      {"agx-orin-jp6", "ina3221 VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", PowerScope::RailSum, 7661},
      {"raspberry-pi-4", "", {}, 0},
      {"raspberry-pi-5", "pmic rails", PowerScope::RailSum, 2266},
      {"x86-rapl", "rapl package-0 dram", PowerScope::Package, 0},
      {"plain-linux", "battery BAT0", PowerScope::BoardInput, 5836}};
  for (const Expected& board : boards) {
    SCOPED_TRACE(board.tree);
    HostTree tree = HostTree::fixture(board.tree);
    TreeMailbox mailbox(tree);
    const Discovery found = discover(tree, tree);
    Result<MeterChoice> choice =
        choose_meter("auto", found, tree,
                     found.family == BoardFamily::RaspberryPi ? &mailbox : nullptr, nullptr);
    ASSERT_TRUE(choice.has_value());
    ASSERT_EQ(choice->meter != nullptr, !board.name.empty()) << choice->why;
    if (choice->meter == nullptr) {
      EXPECT_NE(choice->why.find("shelly"), std::string::npos);
      continue;
    }
    EXPECT_EQ(choice->meter->facts().name, board.name);
    EXPECT_EQ(choice->meter->facts().scope, board.scope);
    EXPECT_EQ(choice->meter->facts().evidence, Evidence::Measured);
    if (!choice->meter->facts().counter) {
      EXPECT_EQ(choice->meter->read({}).value->power, Milliwatts{board.mw});
    }
  }
}

TEST(ChooseMeter, CountersForRootAlone_AreDeniedWithWhatMendsIt) {
  HostTree tree = HostTree::fixture("x86-rapl");
  tree.fail("sys/class/powercap/intel-rapl:0/energy_uj", EACCES);
  const Result<MeterChoice> choice =
      choose_meter("auto", discover(tree, tree), tree, nullptr, nullptr);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->meter, nullptr);
  EXPECT_NE(choice->why.find("denied"), std::string::npos);
  EXPECT_NE(choice->why.find("sudo chmod a+r"), std::string::npos);
}

TEST(ChooseMeter, OneThatWasAskedFor_IsThatOneOrAnError) {
  HostTree tree = HostTree::fixture("x86-rapl");
  const Discovery found = discover(tree, tree);
  EXPECT_EQ(choose_meter("none", found, tree, nullptr, nullptr)->meter, nullptr);
  EXPECT_NE(choose_meter("rapl", found, tree, nullptr, nullptr)->meter, nullptr);
  EXPECT_EQ(choose_meter("ina3221", found, tree, nullptr, nullptr).error().code,
            ErrorCode::Unavailable);
  EXPECT_EQ(choose_meter("pmic", found, tree, nullptr, nullptr).error().code,
            ErrorCode::Unavailable);
  for (const char* wrong : {"", "abacus", "shelly", "shelly=ftp://x", "rapl=1", "estimate"}) {
    EXPECT_EQ(choose_meter(wrong, found, tree, nullptr, nullptr).error().code,
              ErrorCode::InvalidArgument)
        << wrong;
  }
}

// Cards as NVIDIA's library shows them; its functions take no context.
struct FakeCards {
  std::vector<unsigned long long> millijoules;
  int failure = 0;
};
FakeCards cards;

const NvmlApi kFakeNvml{.count =
                            [](unsigned* count) {
                              *count = static_cast<unsigned>(cards.millijoules.size());
                              return 0;
                            },
                        .handle =
                            [](unsigned card, void** device) {
                              *device = &cards.millijoules[card];
                              return 0;
                            },
                        .name =
                            [](void* /*device*/, char* text, unsigned size) {
                              std::snprintf(text, size,
                                            "H\x1b[2J100");  // a driver's text is a stranger's
                              return 0;
                            },
                        .energy =
                            [](void* device, unsigned long long* millijoules) {
                              *millijoules = *static_cast<unsigned long long*>(device);
                              return cards.failure;
                            }};

TEST(NvmlMeterTest, CardsAndProcessors_AreAdded) {
  HostTree tree = HostTree::fixture("x86-rapl");
  cards = {{1'000, 50}};
  const Result<MeterChoice> choice =
      choose_meter("auto", discover(tree, tree), tree, nullptr, &kFakeNvml);
  ASSERT_NE(choice->meter, nullptr) << choice->why;
  PowerMeter& meter = *choice->meter;
  EXPECT_EQ(meter.facts().name, "nvml H?[2J100 + H?[2J100 + rapl package-0 dram");
  EXPECT_EQ(meter.facts().scope, PowerScope::Package);
  EXPECT_TRUE(meter.facts().counter);
  EXPECT_EQ(meter.read({}).value->energy, Microjoules{0});
  cards.millijoules = {1'007, 52};
  const std::string package = "sys/class/powercap/intel-rapl:0/energy_uj";
  const std::int64_t before = std::stoll(*tree.text(package).value);
  tree.set(package, std::to_string(before + 300) + "\n");
  EXPECT_EQ(meter.read({100'000}).value->energy, Microjoules{9'300});
}

TEST(NvmlMeterTest, DriverLoadedAnew_BeginsANewCount) {
  cards = {{5'000}};
  auto opened = open_nvml_meter(&kFakeNvml, nullptr);
  ASSERT_TRUE(opened.value.has_value()) << opened.source;
  PowerMeter& meter = **opened.value;
  static_cast<void>(meter.read({}));
  cards.millijoules = {5'600};
  EXPECT_EQ(meter.read({200'000}).value->energy, Microjoules{600'000});
  cards.millijoules = {3};
  EXPECT_EQ(meter.read({400'000}).value->energy, Microjoules{0});
  cards.millijoules = {10};
  EXPECT_EQ(meter.read({600'000}).value->energy, Microjoules{7'000});
  cards.failure = 15;  // NVML_ERROR_GPU_IS_LOST
  EXPECT_EQ(meter.read({800'000}).why, Absence::Failed);
}

TEST(NvmlMeterTest, NoCard_OrOneThatDoesNotCount_IsNoMeter) {
  HostTree tree = HostTree::fixture("plain-linux");
  const Discovery found = discover(tree, tree);
  EXPECT_EQ(open_nvml_meter(nullptr, nullptr).why, Absence::Missing);
  cards = {};
  EXPECT_EQ(open_nvml_meter(&kFakeNvml, nullptr).why, Absence::Missing);
  cards = {{1}, 3};  // NVML_ERROR_NOT_SUPPORTED
  const Result<MeterChoice> asked = choose_meter("nvml", found, tree, nullptr, &kFakeNvml);
  ASSERT_FALSE(asked.has_value());
  EXPECT_NE(asked.error().message.find("from Volta on"), std::string::npos)
      << asked.error().message;
  EXPECT_EQ(choose_meter("auto", found, tree, nullptr, &kFakeNvml)->meter->facts().name,
            "battery BAT0");
}

TEST(RaplMeterTest, CountersThatWrap_GoOn) {
  HostTree tree = HostTree::fixture("x86-rapl");
  const std::string package = "sys/class/powercap/intel-rapl:0/energy_uj";
  tree.set(package, "262143300000\n");
  auto opened = open_rapl_meter(tree);
  ASSERT_TRUE(opened.value.has_value());
  PowerMeter& meter = **opened.value;
  EXPECT_EQ(meter.read(Time{0}).value->energy, Microjoules{0});
  tree.set(package, "1000\n");  // 28,850 to the end of its range, 1,000 from its start
  tree.set("sys/class/powercap/intel-rapl:0:1/energy_uj", "9123457789\n");
  EXPECT_EQ(meter.read(Time{100'000}).value->energy, Microjoules{29'850 + 1'000});
}

TEST(RaplMeterTest, ReadTooLate_StartsAnew) {
  HostTree tree = HostTree::fixture("x86-rapl");
  auto opened = open_rapl_meter(tree);
  PowerMeter& meter = **opened.value;
  meter.read(Time{0});
  tree.set("sys/class/powercap/intel-rapl:0/energy_uj", "81234600000\n");
  EXPECT_GT(meter.read(Time{100'000}).value->energy, Microjoules{0});
  // An hour later it may have wrapped more than once.
  EXPECT_EQ(meter.read(Time{3'600'000'000}).value->energy, Microjoules{0});
}

TEST(RaplMeterTest, AZoneThatVanishes_IsAbsentAndStartsAnew) {
  HostTree tree = HostTree::fixture("x86-rapl");
  auto opened = open_rapl_meter(tree);
  PowerMeter& meter = **opened.value;
  meter.read(Time{0});
  HostTree without = tree;
  tree.remove("sys/class/powercap/intel-rapl:0:1/energy_uj");
  EXPECT_EQ(meter.read(Time{100'000}).why, Absence::Missing);
  tree.set("sys/class/powercap/intel-rapl:0:1/energy_uj", "garbage");
  EXPECT_EQ(meter.read(Time{200'000}).why, Absence::Malformed);
  tree.set("sys/class/powercap/intel-rapl:0:1/energy_uj", "5\n");
  EXPECT_EQ(meter.read(Time{300'000}).value->energy, Microjoules{0});
}

TEST(RaplMeterTest, Psys_StandsForAll) {
  HostTree tree = HostTree::fixture("x86-rapl");
  tree.set("sys/class/powercap/intel-rapl:1/name", "psys\n");
  tree.set("sys/class/powercap/intel-rapl:1/energy_uj", "5\n");
  tree.set("sys/class/powercap/intel-rapl:1/max_energy_range_uj", "262143328850\n");
  const auto opened = open_rapl_meter(tree);
  EXPECT_EQ((*opened.value)->facts().name, "rapl psys");
  EXPECT_EQ((*opened.value)->facts().scope, PowerScope::BoardInput);
}

TEST(BatteryMeterTest, WhileItCharges_SaysNothing) {
  HostTree tree = HostTree::fixture("plain-linux");
  auto opened = open_battery_meter(tree);
  ASSERT_TRUE(opened.value.has_value());
  tree.set("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_EQ((*opened.value)->read({}).why, Absence::NoData);
  tree.set("sys/class/power_supply/BAT0/status", "Discharging\n");
  tree.set("sys/class/power_supply/BAT0/power_now", "-7250000\n");  // some drivers sign it
  EXPECT_EQ((*opened.value)->read({}).value->power, Milliwatts{7250});
}

TEST(ParsePlug, Answers_AreWatts) {
  EXPECT_EQ(parse_plug(PlugKind::ShellyGen2, R"({"id":0,"apower":31.4,"aenergy":{"total":9.1}})"),
            Milliwatts{31'400});
  EXPECT_EQ(parse_plug(PlugKind::ShellyGen1, R"({"meters":[{"power":3.07,"is_valid":true}]})"),
            Milliwatts{3070});
  EXPECT_EQ(parse_plug(PlugKind::ShellyGen1, R"({"meters":[{"power":3.07,"is_valid":false}]})"),
            std::nullopt);
  EXPECT_EQ(parse_plug(PlugKind::Tasmota, R"({"StatusSNS":{"ENERGY":{"Total":1.5,"Power":6}}})"),
            Milliwatts{6000});
  for (const char* wrong : {"", "[]", "{}", R"({"apower":"31"})", R"({"apower":-1})",
                            R"({"apower":1e300})", R"({"meters":[]})", R"({"meters":{}})"}) {
    for (const PlugKind kind : {PlugKind::ShellyGen1, PlugKind::ShellyGen2, PlugKind::Tasmota}) {
      EXPECT_EQ(parse_plug(kind, wrong), std::nullopt) << wrong;
    }
  }
}

TEST(ParsePlug, Addresses_HaveAHostAndMayHaveAPort) {
  EXPECT_EQ(parse_plug_address(PlugKind::Tasmota, "http://plug.local/")->host, "plug.local");
  EXPECT_EQ(parse_plug_address(PlugKind::Tasmota, "http://10.0.0.7:8080")->port, 8080);
  for (const char* wrong : {"", "plug", "https://plug", "http://", "http://a:0", "http://a:x",
                            "http://a/b", "http://u@a"}) {
    EXPECT_FALSE(parse_plug_address(PlugKind::Tasmota, wrong).has_value()) << wrong;
  }
}

// A plug on the loopback: one answer to each connection, whatever is asked.
class Plug {
 public:
  Plug() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) == 0 && listen(listener_, 8) == 0 &&
        getsockname(listener_, any, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
    thread_ = std::jthread([this] { serve(); });
  }
  ~Plug() {
    shutdown(listener_, SHUT_RDWR);  // wakes accept()
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void answer(int status, std::string body) {
    const MutexLock lock(mutex_);
    answer_ = "HTTP/1.1 " + std::to_string(status) +
              " x\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\nConnection: close\r\n\r\n" + body;
  }

 private:
  void serve() {
    for (int one = accept(listener_, nullptr, nullptr); one >= 0;
         one = accept(listener_, nullptr, nullptr)) {
      std::array<char, 4096> question{};
      static_cast<void>(recv(one, question.data(), question.size(), 0));
      std::string text;
      {
        const MutexLock lock(mutex_);
        text = answer_;
      }
      static_cast<void>(send(one, text.data(), text.size(), MSG_NOSIGNAL));
      close(one);
    }
  }

  Mutex mutex_;
  std::string answer_ GUARDED_BY(mutex_);
  int listener_;
  int port_ = 0;
  std::jthread thread_;
};

TEST(PlugMeterTest, APlugThatAnswers_IsTheWall) {
  Plug plug;
  plug.answer(200, R"({"apower":12.5})");
  HostTree tree;
  const Result<MeterChoice> choice =
      choose_meter("shelly=" + plug.url(), discover(tree, tree), tree, nullptr, nullptr);
  ASSERT_TRUE(choice.has_value()) << choice.error().message;
  EXPECT_EQ(choice->meter->facts().scope, PowerScope::Wall);
  EXPECT_EQ(choice->meter->read({}).value->power, Milliwatts{12'500});
  plug.answer(200, "<html>");
  EXPECT_EQ(choice->meter->read({}).why, Absence::Malformed);
  plug.answer(200, std::string(200'000, '['));
  EXPECT_FALSE(choice->meter->read({}).value.has_value());
  plug.answer(401, "who are you?");
  EXPECT_EQ(choice->meter->read({}).why, Absence::Denied);
}

TEST(PlugMeterTest, APlugThatIsAway_IsAnErrorThatNamesIt) {
  HostTree tree;
  const Result<MeterChoice> choice =
      choose_meter("tasmota=http://127.0.0.1:1", discover(tree, tree), tree, nullptr, nullptr);
  ASSERT_FALSE(choice.has_value());
  EXPECT_NE(choice.error().message.find("127.0.0.1:1"), std::string::npos);
}

TEST(EstimateMeterTest, OfALoad_IsMarkedWithItsSource) {
  HostTree tree = HostTree::fixture("raspberry-pi-4");
  const test::TempFolder folder;
  const std::string file = (folder.path() / "model.toml").string();
  std::ofstream(file) << "format = 1\nat_rest_mw = 2300\nper_load_mw = 4500\nrmse_mw = 150\n"
                         "scope = \"board-input\"\nsource = \"a fit against a plug\"\n";
  const Result<MeterChoice> choice =
      choose_meter("estimate=" + file, discover(tree, tree), tree, nullptr, nullptr);
  ASSERT_TRUE(choice.has_value()) << choice.error().message;
  EXPECT_EQ(choice->meter->facts().evidence, Evidence::Estimated);
  EXPECT_EQ(choice->meter->facts().source, "a fit against a plug");
  tree.set("proc/stat", "cpu  100 0 0 300 0 0 0 0\n");
  choice->meter->read({});
  tree.set("proc/stat", "cpu  150 0 0 350 99 9 9 0\n");  // half busy; waiting does not count
  EXPECT_EQ(choice->meter->read({}).value->power, Milliwatts{2300 + 2250});
}

TEST(EstimateMeterTest, AModelWithoutASourceOrWithNonsense_IsRefused) {
  const std::string good =
      "format = 1\nat_rest_mw = 2300\nper_load_mw = 4500\nrmse_mw = 150\nscope = \"wall\"\n";
  EXPECT_TRUE(parse_load_model(good + "source = \"x\"\n", "m").has_value());
  EXPECT_FALSE(parse_load_model(good, "m").has_value());
  EXPECT_FALSE(parse_load_model(good + "source = \"\"\n", "m").has_value());
  EXPECT_FALSE(parse_load_model("format = 1\nat_rest_mw = -1\n", "m").has_value());
}

TEST(EstimateMeterTest, AFit_IsTheLineOfLeastSquaresOrRefused) {
  const std::vector<LoadPoint> line{{0.0, 2.0}, {0.5, 4.0}, {1.0, 6.0}, {0.25, 3.1}, {0.75, 4.9}};
  const Result<LoadModel> model = fit_load_model(line, PowerScope::Wall, "test");
  ASSERT_TRUE(model.has_value());
  EXPECT_NEAR(static_cast<double>(model->at_rest.count), 2040, 2);
  EXPECT_NEAR(static_cast<double>(model->per_load.count), 3920, 2);
  const std::vector<LoadPoint> cloud{{0.0, 4.0}, {0.5, 2.0}, {1.0, 4.1}, {0.3, 5.0}};
  EXPECT_EQ(fit_load_model(cloud, PowerScope::Wall, "test").error().code, ErrorCode::Unsupported);
  EXPECT_FALSE(fit_load_model({}, PowerScope::Wall, "test").has_value());
}

}  // namespace
}  // namespace juggler
