// The lines of a checkpoint: what a controller's state becomes as text, that it reads back as the
// same, and that what is damaged or does not fit together is refused with the reason.

#include "wire/state.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/policies/policy.h"
#include "support/checkpoint_text.h"
#include "support/controller_harness.h"
#include "wire/journal.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::result_of;
using test::state_of;
using test::submission;
using test::variant;
using wire::encode_state;

DeviceFacts board(const std::string& id) {
  return device(id).serves(variant("n-fp32"), milliseconds(50));
}

Controller fresh(const std::string& policy = "juggler") {
  return Controller(ControllerConfig{}, std::move(*make_policy(policy)));
}

// Why a controller does not take up a state after such a change; empty if it does.
std::string misfit(ControllerState state, const std::function<void(ControllerState&)>& change) {
  change(state);
  Controller controller = fresh();
  const Result<void> taken = controller.take_up(std::move(state));
  return taken ? "" : taken.error().message;
}

std::string error_of(const std::string& line) {
  const Result<wire::JournalLine> decoded = wire::decode_journal(line);
  return decoded ? "" : decoded.error().message;
}

// One task answered, one being answered, one in flight and one in line.
void make_busy(ControllerHarness& harness) {
  harness.lead_with({board("a")});
  harness.submit(submission("answered"));
  harness.result(result_of(harness.last_dispatch()));
  harness.confirm_all();
  harness.submit(submission("answering"));
  harness.result(result_of(harness.last_dispatch()));
  for (int i = 0; i < 6; ++i) {
    harness.submit(submission("more-" + std::to_string(i)));
  }
}

TEST(State, TakenUp_IsSavedAsTheSameText) {
  ControllerHarness harness;
  make_busy(harness);
  const std::string text = encode_state(harness.controller().state());
  for (const char* part : {"whole", "device", "task", "answered", "timer", "publish", "attempt"}) {
    EXPECT_NE(text.find(std::string("{\"state\":\"") + part + "\""), std::string::npos) << part;
  }
  Result<ControllerState> state = state_of(text);
  ASSERT_TRUE(state.has_value()) << state.error().message;
  Controller controller = fresh();
  const Result<void> taken = controller.take_up(std::move(*state));
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ(encode_state(controller.state()), text);
  EXPECT_EQ(controller.tasks().size(), harness.controller().tasks().size());
  EXPECT_EQ(controller.tasks().payload_bytes(), harness.controller().tasks().payload_bytes());
  EXPECT_EQ(controller.tasks().held(), harness.controller().tasks().held());
  EXPECT_EQ(controller.tasks().waiting_size(), harness.controller().tasks().waiting_size());
  EXPECT_EQ(controller.next_timer(), harness.controller().next_timer());
}

TEST(State, Labels_AreNotInIt) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(submission("t"));
  AttemptResult result = result_of(harness.last_dispatch());
  result.labels = {{1, "a-tabby-cat", 0.5}};
  harness.result(result);
  harness.confirm_all();
  const std::string text = encode_state(harness.controller().state());
  EXPECT_NE(text.find("\"answered\""), std::string::npos);
  EXPECT_EQ(text.find("a-tabby-cat"), std::string::npos);
}

// A refused submission may hold anything.
TEST(State, BytesThatAreNoUtf8_ReadBackAsTheyWere) {
  ControllerHarness harness;
  harness.lead_with({board("a")});
  harness.submit(Submitted{.submission = submission(std::string("\xff\x00\x80", 3)),
                           .delivery = {},
                           .refusal = "header '\xfe' is wrong",
                           .id_given = true});
  const ControllerState before = harness.controller().state();
  const Result<ControllerState> after = state_of(encode_state(before));
  ASSERT_TRUE(after.has_value()) << after.error().message;
  ASSERT_EQ(after->tasks.size(), 1U);
  EXPECT_EQ(after->tasks[0].record.submission.key, before.tasks[0].record.submission.key);
  EXPECT_EQ((*after->tasks[0].record.outcome)->reason, "header '\xfe' is wrong");
}

TEST(State, AChangedOrMissingLine_IsFound) {
  ControllerHarness harness;
  make_busy(harness);
  const std::string text = encode_state(harness.controller().state());
  std::string changed = text;
  char& epoch = changed.at(changed.find("\"epoch\":") + 8);
  epoch = epoch == '7' ? '8' : '7';
  ASSERT_FALSE(state_of(changed).has_value());
  EXPECT_NE(state_of(changed).error().message.find("was changed"), std::string::npos);

  std::string shorter = text;
  const std::size_t task = shorter.find("{\"state\":\"task\"");
  shorter.erase(task, shorter.find('\n', task) + 1 - task);
  ASSERT_FALSE(state_of(shorter).has_value());
  EXPECT_NE(state_of(shorter).error().message.find("missing"), std::string::npos);

  const Result<ControllerState> headless = state_of(text.substr(text.find('\n') + 1));
  ASSERT_FALSE(headless.has_value());
  EXPECT_NE(headless.error().message.find("no beginning"), std::string::npos);
}

TEST(State, Junk_IsRefusedWithTheField) {
  EXPECT_NE(error_of(R"({"state":"dance"})").find("'dance'"), std::string::npos);
  EXPECT_NE(error_of(R"({"state":"timer"})").find("'id'"), std::string::npos);
  EXPECT_NE(error_of(R"({"state":"timer","id":{},"timer":{"kind":99}})").find("kind"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"state":"publish","publish":{"kind":-1}})").find("kind"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"state":"attempt","id":{},"attempt":{"timer":{},"delays_us":"1 2"}})")
                .find("delays_us"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"state":"attempt","id":{},"attempt":{"timer":{},"delays_us":"1 x"}})")
                .find("delays_us"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"state":"device","facts":{"device":"A"}})").find("facts"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"state":"timer","id":{"at_us":9223372036854775806}})").find("at_us"),
            std::string::npos);
}

TEST(State, WhatDoesNotFitTogether_IsNotTakenUp) {
  ControllerHarness harness;
  make_busy(harness);
  const ControllerState state = harness.controller().state();
  ASSERT_EQ(misfit(state, [](ControllerState&) {}), "");
  const auto says = [&](const std::string& what, const std::function<void(ControllerState&)>& by) {
    EXPECT_NE(misfit(state, by).find(what), std::string::npos) << what << ": " << misfit(state, by);
  };
  says("order of their ids", [](ControllerState& s) { s.devices.push_back(s.devices[0]); });
  says("device a", [](ControllerState& s) { s.devices[0].lanes.clear(); });
  says("device a", [](ControllerState& s) { s.devices[0].lanes[0].in_flight[0].profile = 7; });
  says("device a", [](ControllerState& s) {
    s.devices[0].lanes[0].learned = std::make_shared<const LaneLearned>(5);
  });
  says("device a", [](ControllerState& s) {
    LaneLearned learned = *s.devices[0].lanes[0].learned;
    learned.profiles[0].came_permille = 0;
    s.devices[0].lanes[0].learned = std::make_shared<const LaneLearned>(learned);
  });
  says("device a", [](ControllerState& s) { s.devices[0].lanes[0].members.clear(); });
  says("order of their numbers", [](ControllerState& s) { s.whole.last_task = 1; });
  says("task", [](ControllerState& s) { s.tasks.back().record.place.reset(); });
  says("task", [](ControllerState& s) { s.tasks.front().record.outcome.reset(); });
  says("task", [](ControllerState& s) { s.tasks.front().record.requesters.clear(); });
  says("a line has tasks", [](ControllerState& s) { s.tasks.pop_back(); });
  says("publishes", [](ControllerState& s) {
    s.publishes[0].publish = {
        .kind = OpenPublish::Kind::Outcome, .task = s.tasks.back().record.number, .requester = 0};
  });
  says("timers", [](ControllerState& s) { s.whole.last_timer = 0; });
  says("attempts", [](ControllerState& s) { s.attempts.push_back(s.attempts[0]); });
  says("results without a task", [](ControllerState& s) { s.orphans.emplace_back(); });
  says("answered tasks", [](ControllerState& s) { s.answered.push_back(s.answered[0]); });
  says("its policy", [](ControllerState& s) { s.whole.policy_memory = {1}; });
}

TEST(State, OfAPolicyWithAHistory_KeepsIt) {
  for (const char* name : {"round-robin", "speed-weighted-round-robin"}) {
    ControllerHarness harness(ControllerConfig{}, name);
    harness.lead_with({board("a"), board("b"), board("c")});
    harness.submit(submission("t"));
    const ControllerState state = harness.controller().state();
    EXPECT_FALSE(state.whole.policy_memory.empty()) << name;
    Controller controller = fresh(name);
    ASSERT_TRUE(controller.take_up(state).has_value()) << name;
    EXPECT_EQ(controller.state().whole.policy_memory, state.whole.policy_memory) << name;
  }
}

}  // namespace
}  // namespace juggler
