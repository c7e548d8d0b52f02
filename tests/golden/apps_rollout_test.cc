// Rollouts as the keeper takes them forward, against a controller and devices that the test plays:
// which device is asked, whose results count, and what is changed in the record.

#include "apps/rollout_run.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/loopback.h"
#include "support/runtime_fakes.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr const char* kNew = "new-fp32";

// Two equal devices that fetch their models.
class RolloutRunTest : public ::testing::Test {
 protected:
  RolloutRunTest()
      : access_{.read = [this] { return Result<FleetRecord>(record_); },
                .edit =
                    [this](const auto& change) {
                      (void)change(record_);
                      return Result<FleetRecord>(record_);
                    },
                .nudge = [] {},
                .open_results =
                    [this] {
                      auto transport = std::make_unique<LoopbackTransport>();
                      results_ = transport.get();
                      return transport;
                    }},
        run_(clock_, access_,
             [this](wire::Envelope sent) { published_.push_back(std::move(sent)); }) {
    Rollout rollout;
    rollout.variant = kNew;
    rollout.watch = seconds(10);
    record_.rollouts.push_back(rollout);
  }

  const Rollout& rollout() const { return record_.rollouts.front(); }

  // Seconds in which everybody answers what is asked.
  void pass(int turns) {
    for (int i = 0; i < turns && rollout().state == RolloutState::Rolling; ++i) {
      clock_.advance(seconds(1));
      run_.turn(record_, [](const std::string&) { return true; });
      for (const wire::Envelope& sent : std::exchange(published_, {})) {
        answer(sent);
      }
    }
  }

  void answer(const wire::Envelope& sent) {
    if (sent.exchange == wire::kSubmitExchange && sent.routing_key == wire::kTasksQueue) {
      const auto at = sent.headers.find("device");
      const std::string device =
          at != sent.headers.end() ? std::get<std::string>(at->second) : "pi-1";
      probes_[device] += 1;
      if (answers_) {
        result(device, milliseconds(10));
      }
      return;
    }
    json devices = json::array();
    json placements = json::array();
    for (const char* id : {"pi-1", "pi-2"}) {
      devices.push_back({{"id", id}, {"state", "live"}});
      const std::vector<std::string>& reached = rollout().reached;
      if (std::find(reached.begin(), reached.end(), id) != reached.end()) {
        placements.push_back({{"device", id}, {"latency_us_mean", measured_us_}});
      }
    }
    wire::Envelope reply;
    reply.correlation_id = sent.correlation_id;
    reply.body = wire::make_body(
        sent.correlation_id.find("devices") != std::string::npos
            ? json{{"devices", devices}}.dump()
            : json{{"models", {{{"id", kNew}, {"placements", placements}}}}}.dump());
    run_.heard(reply);
  }

  void result(const std::string& device, Micros compute, const std::string& as = "") {
    AttemptResult result;
    result.attempt.task.id = "a-task";
    result.attempt.number = 1;
    result.device = device;
    result.processor = "cpu0";
    result.variant = kNew;
    result.status = AttemptStatus::Ok;
    result.compute = compute;
    wire::Envelope sent = wire::encode_result(result);
    if (!as.empty()) {
      sent.routing_key = "result." + as;
    }
    results_->deliver("juggler.results-watch", std::move(sent));
  }

  test::ManualClock clock_;
  FleetRecord record_;
  LoopbackTransport* results_ = nullptr;
  RecordAccess access_;
  std::vector<wire::Envelope> published_;
  RolloutRun run_;
  std::map<std::string, int> probes_;
  std::int64_t measured_us_ = 10'000;
  bool answers_ = true;
};

TEST_F(RolloutRunTest, EachOfTwoEqualDevices_IsTriedItself) {
  pass(60);
  EXPECT_EQ(rollout().state, RolloutState::Done) << rollout().reason;
  EXPECT_EQ(rollout().reached, (std::vector<std::string>{"pi-1", "pi-2"}));
  EXPECT_GE(probes_["pi-1"], kRolloutResultsMin);
  EXPECT_GE(probes_["pi-2"], kRolloutResultsMin);
}

TEST_F(RolloutRunTest, ResultsOfAnotherDevice_SayNothing) {
  for (int i = 0; i < 60 && rollout().reached.size() < 2; ++i) {
    pass(1);
  }
  ASSERT_EQ(rollout().reached.back(), "pi-2");
  answers_ = false;
  for (int i = 0; i < 20; ++i) {
    result("pi-1", milliseconds(10));
    result("pi-2", milliseconds(10), "pi-1");  // by pi-1, which may not speak for it
    pass(1);
  }
  EXPECT_EQ(rollout().state, RolloutState::Rolling);
}

TEST_F(RolloutRunTest, NoResults_AreWaitedForAndThenItGoesBack) {
  answers_ = false;
  pass(60);
  EXPECT_EQ(rollout().state, RolloutState::Rolling);
  EXPECT_EQ(rollout().reached.size(), 1U) << "nobody is passed by unseen";
  EXPECT_EQ(probes_["pi-1"], kRolloutProbesMax);
  pass(400);
  EXPECT_EQ(rollout().state, RolloutState::RolledBack);
  EXPECT_NE(rollout().reason.find("gave 0 results"), std::string::npos) << rollout().reason;
}

TEST_F(RolloutRunTest, TimeThatNobodyKnows_IsNoMeasure) {
  measured_us_ = 0;
  pass(20);
  EXPECT_EQ(rollout().state, RolloutState::Rolling) << rollout().reason;
}

TEST_F(RolloutRunTest, SlowDevice_EndsIt) {
  answers_ = false;
  pass(9);
  for (int i = 0; i < 5; ++i) {
    result("pi-1", milliseconds(21));
  }
  pass(3);
  EXPECT_EQ(rollout().state, RolloutState::RolledBack);
}

}  // namespace
}  // namespace juggler
