// The command line's questions, answered from the controller's state.

#include "runtime/queries.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/controller_shell.h"
#include "support/controller_harness.h"

namespace juggler {
namespace {

using nlohmann::json;
using test::device;
using test::submission;
using test::variant;

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() {
    harness_.lead_with(
        {device("a").serves(variant("n-fp32", 75), milliseconds(50), test::energy_mj(100, 0.1)),
         device("b").twin().serves(variant("m-fp32", 80), milliseconds(90))});
  }
  // As the controller's own login, unless another is named; an empty one signs nothing.
  json ask(const std::string& what, const std::string& task = "",
           const std::string& user = "controller") {
    wire::Envelope question = make_query(what, task, "replies", "c");
    question.user_id = user;
    return json::parse(*reply_to(question).body);
  }
  wire::Envelope reply_to(const wire::Envelope& question) {
    return answer_query(harness_.controller(), shell_, {.version = "v1", .login = "controller"},
                        harness_.now(), question);
  }
  json ask_raw(wire::Body body) {
    wire::Envelope question = make_query("status", "", "replies", "c");
    question.body = std::move(body);
    return json::parse(*reply_to(question).body);
  }

  test::ControllerHarness harness_;
  ShellStats shell_;
};

TEST_F(QueriesTest, Devices_AreListedWithTheirProcessors) {
  const json answer = ask("devices");
  ASSERT_EQ(answer["devices"].size(), 2U);
  EXPECT_EQ(answer["devices"][0]["id"], "a");
  EXPECT_EQ(answer["devices"][0]["state"], "live");
  EXPECT_EQ(answer["devices"][1]["twin"], true);
  EXPECT_EQ(answer["devices"][0]["processors"][0]["window_batches"], 2);
}

TEST_F(QueriesTest, Devices_SayWhatTheirLastHeartbeatSaidOfTheMachine) {
  EXPECT_FALSE(ask("devices")["devices"][0].contains("host"));
  Heartbeat beat;
  beat.host.power = PowerNow{{5120}, PowerScope::ModuleRail, Evidence::Measured};
  beat.host.throttled = true;
  beat.host.power_mode = "15W";
  harness_.heartbeat("a", beat);
  const json host = ask("devices")["devices"][0]["host"];
  EXPECT_EQ(host["power_mw"], 5120);
  EXPECT_EQ(host["power_scope"], "module-rail");
  EXPECT_EQ(host["power_evidence"], "measured");
  EXPECT_EQ(host["throttled"], true);
  EXPECT_EQ(host["power_mode"], "15W");
  EXPECT_FALSE(host.contains("gpu_load_permille"));
}

TEST_F(QueriesTest, Models_AreListedByVariantWithTheirPlacements) {
  const json answer = ask("models");
  ASSERT_EQ(answer["models"].size(), 2U);
  EXPECT_EQ(answer["models"][0]["id"], "m-fp32");
  EXPECT_EQ(answer["models"][1]["placements"][0]["device"], "a");
  EXPECT_EQ(answer["models"][1]["placements"][0]["energy_uj"], 100'000);
  EXPECT_GE(answer["models"][1]["placements"][0]["batch_max"], 1);
  EXPECT_GT(answer["models"][1]["placements"][0]["batch_max_latency_us_p95"], 0);
  EXPECT_FALSE(answer["models"][0]["placements"][0].contains("energy_uj"));
}

TEST_F(QueriesTest, Policies_NameTheActiveOne) {
  const json answer = ask("policies");
  int active = 0;
  for (const json& policy : answer["policies"]) {
    active += policy["active"] == true ? 1 : 0;
  }
  EXPECT_EQ(active, 1);
}

TEST_F(QueriesTest, Tasks_AreTheLiveOnesThenTheAnsweredOnes) {
  harness_.submit(submission("done"));
  harness_.result(test::result_of(harness_.last_dispatch()));
  harness_.confirm_all();
  harness_.submit(submission("live"));
  const json answer = ask("tasks");
  ASSERT_EQ(answer["tasks"].size(), 2U);
  EXPECT_EQ(answer["tasks"][0]["id"], "live");
  EXPECT_EQ(answer["tasks"][0]["state"], "running");
  EXPECT_EQ(answer["tasks"][1]["id"], "done");
  EXPECT_EQ(answer["tasks"][1]["state"], "completed");
}

TEST_F(QueriesTest, Tasks_AreToldToTheirSubmitterAndToTheControllersLoginAlone) {
  harness_.submit(submission("done").submitter("user:alice"));
  harness_.result(test::result_of(harness_.last_dispatch()));
  harness_.confirm_all();
  harness_.submit(submission("live").submitter("user:alice"));
  harness_.submit(submission("bobs").submitter("user:bob"));
  harness_.submit(submission("nameless").submitter("reply_to:replies"));
  harness_.submit(submission("elsewhere").submitter("reply_to:other-replies"));
  const auto ids = [](const json& answer) {
    std::vector<std::string> found;
    for (const json& task : answer["tasks"]) {
      found.push_back(task["id"]);
    }
    return found;
  };
  const json alices = ask("tasks", "", "alice");
  EXPECT_EQ(ids(alices), (std::vector<std::string>{"live", "done"}));
  EXPECT_EQ(alices["live"], 1);
  EXPECT_EQ(alices["not_shown"], 3);
  EXPECT_EQ(ids(ask("tasks", "", "bob")), std::vector<std::string>{"bobs"});
  EXPECT_EQ(ids(ask("tasks", "", "eve")), std::vector<std::string>{});
  EXPECT_EQ(ids(ask("tasks", "", "")), std::vector<std::string>{"nameless"}) << "its own queue";
  EXPECT_EQ(ask("tasks")["tasks"].size(), 5U);
  EXPECT_EQ(ask("tasks")["not_shown"], 0);
}

TEST_F(QueriesTest, Explain_IsToldToTheTasksSubmitterAlone) {
  harness_.submit(submission("t").submitter("user:alice"));
  harness_.submit(submission("t").submitter("user:bob").min_accuracy(70));
  EXPECT_FALSE(ask("explain", "t", "alice")["requirements"].contains("min_accuracy_percent"));
  EXPECT_TRUE(ask("explain", "t", "bob")["requirements"].contains("min_accuracy_percent"));
  EXPECT_TRUE(ask("explain", "t").contains("decision"));
  const std::string eve = ask("explain", "t", "eve")["error"];
  EXPECT_EQ(eve.rfind("no decision about task 't' of this login is kept", 0), 0U) << eve;
  EXPECT_TRUE(ask("explain", "t", "").contains("error"));
}

TEST_F(QueriesTest, TaskUnderWay_SaysWhetherATwinAndTrainedWeightsServeIt) {
  harness_.hello(device("c").twin().serves(test::synthetic("s-fp32", 90), milliseconds(50)));
  harness_.submit(submission("live").model("s-fp32"));
  const json task = ask("tasks")["tasks"][0];
  EXPECT_EQ(task["device"], "c");
  EXPECT_EQ(task["twin"], true);
  EXPECT_EQ(task["weights"], "synthetic");
}

TEST_F(QueriesTest, Explain_MarksTwinsAndSyntheticWeights) {
  harness_.hello(device("c").twin().serves(test::synthetic("s-fp32", 90), milliseconds(50)));
  harness_.submit(submission("t").model("s-fp32"));
  const json candidates = ask("explain", "t")["candidates"];
  EXPECT_EQ(candidates[0]["variant"], "s-fp32");
  EXPECT_EQ(candidates[0]["twin"], true);
  EXPECT_EQ(candidates[0]["weights"], "synthetic");
  EXPECT_EQ(candidates[1]["weights"], "pretrained");
}

TEST_F(QueriesTest, Explain_ShowsEveryCandidate) {
  harness_.submit(submission("t").min_accuracy(70));
  const json answer = ask("explain", "t");
  EXPECT_EQ(answer["decision"], "place");
  ASSERT_EQ(answer["candidates"].size(), 2U);
  EXPECT_EQ(answer["candidates"][0]["chosen"], true);
  EXPECT_EQ(answer["requirements"]["min_accuracy_percent"], 70.0);
}

TEST_F(QueriesTest, ExplainUnknownTask_SaysSo) {
  EXPECT_TRUE(ask("explain", "nobody").contains("error"));
}

TEST_F(QueriesTest, OtherMajorVersion_IsRefusedInTheAnswer) {
  wire::Envelope question = make_query("status", "", "replies", "c");
  question.type = "juggler.query.v2";
  const wire::Envelope reply = reply_to(question);
  EXPECT_EQ(reply.type, "juggler.answer.v1");
  const json said = json::parse(*reply.body);
  EXPECT_NE(said["error"].get<std::string>().find("juggler.query.v1"), std::string::npos);
}

TEST_F(QueriesTest, Status_Counts) {
  harness_.submit(submission("t"));
  const json answer = ask("status");
  EXPECT_EQ(answer["submitted"], 1);
  EXPECT_EQ(answer["version"], "v1");
  EXPECT_EQ(answer["live"], 1);
}

TEST_F(QueriesTest, ExplainWithoutATaskOrOfAnotherType_SaysWhatIsWrong) {
  const auto error = [this](const char* question) {
    return ask_raw(wire::make_body(question))["error"].get<std::string>();
  };
  EXPECT_EQ(error(R"({"query": "explain"})"), "the query `explain` needs `task`: a task's id");
  EXPECT_EQ(error(R"({"query": "explain", "task": 7})"),
            "`task` is a task's id, a string; this is number");
  EXPECT_EQ(error(R"({"query": "explain", "task": ""})"), "`task` is empty: it is a task's id");
  EXPECT_EQ(error(R"({"query": 7})"),
            "a question has `query`, a string: devices, models, policies, tasks, explain, status");
  EXPECT_EQ(error("[]"), "a question is a JSON object, as in {\"query\": \"devices\"}");
}

TEST_F(QueriesTest, QuestionsThatCannotBeRead_GetAnError) {
  EXPECT_TRUE(ask("weather").contains("error"));
  EXPECT_TRUE(ask_raw(nullptr).contains("error"));
  for (const char* junk :
       {"", "[]", "5", "{\"query\":5}", "\xff", "{\"query\":\"explain\",\"task\":[]}"}) {
    EXPECT_TRUE(ask_raw(wire::make_body(junk)).contains("error")) << junk;
  }
  EXPECT_TRUE(ask_raw(wire::make_body(std::string(5000, ' '))).contains("error"));
  EXPECT_TRUE(ask_raw(wire::make_body(std::string(4000, '['))).contains("error"));
}

}  // namespace
}  // namespace juggler
