// The front over a transport in this process: one task per id, a reply for each who asked, and what
// is said when the fleet is away.

#include <gtest/gtest.h>

#include <map>

#include "http/front.h"
#include "http/replies.h"
#include "runtime/loopback.h"
#include "support/runtime_fakes.h"
#include "wire/messages.h"

namespace juggler::http {
namespace {

using nlohmann::json;

Result<PayloadKind> kind_of(std::string_view bytes) {
  if (bytes.substr(0, 4) == "jpeg") {
    return PayloadKind::Jpeg;
  }
  return fail(ErrorCode::Unsupported, "neither a JPEG nor a PNG");
}

class HttpFront : public testing::Test {
 protected:
  void SetUp() override {
    transport_.connect(0);
    front_.turn({});
  }

  FrontOptions options() {
    FrontOptions options;
    options.user = "submitter";
    options.version = "1";
    options.reply = [this](Ticket ticket, Reply reply) {
      EXPECT_TRUE(replies_.emplace(ticket, std::move(reply)).second) << "answered twice";
    };
    options.read_picture = kind_of;
    options.fresh_id = [this] { return "fresh" + std::to_string(++fresh_); };
    options.tasks_of_one_max = 2;
    options.tasks_max = 3;
    return options;
  }

  void ask(Ticket ticket, Asks asks, const std::string& id = "", const std::string& who = kLocal,
           const std::string& body = "jpeg", const std::string& name = "") {
    Request request;
    request.who = who;
    request.body = wire::make_body(body);
    if (!id.empty()) {
      request.query["id"] = id;
    }
    front_.take(ticket, {asks, name}, request);
  }
  std::vector<wire::Envelope> sent() {
    std::vector<wire::Envelope> tasks;
    for (wire::Envelope& one : transport_.take_published()) {
      (one.routing_key == wire::kTasksQueue ? tasks : questions_).push_back(std::move(one));
    }
    return tasks;
  }
  void answer(const wire::Envelope& task, OutcomeKind kind = OutcomeKind::Completed) {
    Outcome outcome;
    outcome.key = {"user:submitter", task.message_id};
    outcome.kind = kind;
    outcome.reason = kind == OutcomeKind::Completed ? "" : "because";
    outcome.labels = {{3, "cat", 0.5}};
    outcome.device = "d";
    outcome.processor = "cpu0";
    outcome.variant = "n-fp32";
    transport_.deliver("", wire::encode_outcome(outcome, task.reply_to, task.correlation_id));
    front_.turn({});
  }
  int status(Ticket ticket) const {
    const auto at = replies_.find(ticket);
    return at == replies_.end() ? 0 : at->second.status;
  }
  json body(Ticket ticket) const { return json::parse(replies_.at(ticket).body, nullptr, false); }

  LoopbackTransport transport_;
  test::ManualClock clock_;
  std::map<Ticket, Reply> replies_;
  std::vector<wire::Envelope> questions_;
  int fresh_ = 0;
  Front front_{transport_, clock_, options()};
};

TEST_F(HttpFront, SynchronousRequest_IsAnsweredByItsOutcome) {
  ask(1, Asks::Classify, "42");
  front_.turn({});
  EXPECT_EQ(status(1), 0) << "a confirm is no outcome";
  const auto tasks = sent();
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].message_id, "local/42");
  EXPECT_EQ(tasks[0].user_id, "submitter");
  EXPECT_EQ(tasks[0].content_type, "image/jpeg");
  EXPECT_TRUE(tasks[0].mandatory && tasks[0].persistent);
  answer(tasks[0]);
  EXPECT_EQ(status(1), 200);
  EXPECT_EQ(body(1)["id"], "42");
  EXPECT_EQ(body(1)["task"], "local/42");
  EXPECT_EQ(body(1)["outcome"]["labels"][0]["label"], "cat");
  EXPECT_EQ(front_.tasks_open(), 0U);
}

TEST_F(HttpFront, SameIdTwice_IsOneTaskWithTwoReplies) {
  ask(1, Asks::Classify, "42");
  ask(2, Asks::Classify, "42");
  const auto tasks = sent();
  ASSERT_EQ(tasks.size(), 1U);
  answer(tasks[0]);
  EXPECT_EQ(status(1), 200);
  EXPECT_EQ(status(2), 200);
}

TEST_F(HttpFront, SameIdOfTwoTokens_AreTwoTasks) {
  ask(1, Asks::Classify, "42", "alice");
  ask(2, Asks::Classify, "42", "bob");
  const auto tasks = sent();
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].message_id, "alice/42");
  EXPECT_EQ(tasks[1].message_id, "bob/42");
  answer(tasks[1]);
  EXPECT_EQ(status(1), 0);
  EXPECT_EQ(status(2), 200);
}

TEST_F(HttpFront, Asynchronous_AcceptedAfterTheConfirmAndFetchedByItsOwnerAlone) {
  ask(1, Asks::Submit, "42", "alice");
  EXPECT_EQ(status(1), 0) << "nobody has confirmed it";
  front_.turn({});
  ASSERT_EQ(status(1), 202);
  EXPECT_EQ(replies_.at(1).headers.at(0).second, "/v1/tasks/42");
  ask(2, Asks::TaskState, "", "alice", "", "42");
  EXPECT_EQ(body(2)["state"], "accepted");
  answer(sent().at(0));
  ask(3, Asks::TaskState, "", "alice", "", "42");
  EXPECT_EQ(body(3)["state"], "done");
  EXPECT_EQ(body(3)["outcome"]["outcome"], "completed");
  ask(4, Asks::TaskState, "", "bob", "", "42");
  EXPECT_EQ(status(4), 404);
  ask(5, Asks::Submit, "42", "alice");
  EXPECT_EQ(status(5), 202);
  EXPECT_TRUE(sent().empty()) << "it has its outcome";
  clock_.advance(seconds(601));
  front_.turn({});
  ask(6, Asks::TaskState, "", "alice", "", "42");
  EXPECT_EQ(status(6), 404);
}

TEST_F(HttpFront, Outcomes_HaveTheirStatus) {
  const std::map<OutcomeKind, int> expected{
      {OutcomeKind::Rejected, 503}, {OutcomeKind::Expired, 504}, {OutcomeKind::Failed, 500}};
  Ticket ticket = 0;
  for (const auto& [kind, status_wanted] : expected) {
    ask(++ticket, Asks::Classify);
    answer(sent().at(0), kind);
    EXPECT_EQ(status(ticket), status_wanted);
    EXPECT_EQ(body(ticket)["why"], "because");
    EXPECT_FALSE(body(ticket)["next"].get<std::string>().empty());
    EXPECT_EQ(body(ticket)["outcome"]["outcome"], to_string(kind));
  }
}

TEST_F(HttpFront, LostConnection_SendsWhatIsOpenAgainUnderItsId) {
  ask(1, Asks::Classify, "42");
  const auto first = sent();
  transport_.disconnect("gone");
  front_.turn({});
  ask(2, Asks::Classify, "43");
  EXPECT_EQ(status(2), 503) << "said at once, not after a wait";
  transport_.connect(0);
  front_.turn({});
  const auto again = sent();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].message_id, first[0].message_id);
  answer(again[0]);
  answer(again[0]);  // a copy of the outcome changes nothing
  EXPECT_EQ(status(1), 200);
}

TEST_F(HttpFront, NoController_IsSaidAtOnce) {
  transport_.settle_as(wire::kSubmitExchange, PublishEnd::Returned);
  ask(1, Asks::Classify);
  ask(2, Asks::Submit);
  ask(3, Asks::Status);
  front_.turn({});
  EXPECT_EQ(status(1), 503);
  EXPECT_EQ(status(2), 503);
  EXPECT_EQ(status(3), 503);
  EXPECT_EQ(front_.tasks_open(), 0U);
}

TEST_F(HttpFront, Bounds_AreOfEachTokenAndOfAll) {
  ask(1, Asks::Classify, "a", "alice");
  ask(2, Asks::Classify, "b", "alice");
  ask(3, Asks::Classify, "c", "alice");
  EXPECT_EQ(status(3), 429);
  EXPECT_EQ(replies_.at(3).headers.at(0).first, "Retry-After");
  ask(4, Asks::Classify, "a", "bob");
  ask(5, Asks::Classify, "b", "bob");
  EXPECT_EQ(status(5), 503);
  answer(sent().at(0));
  ask(6, Asks::Classify, "d", "alice");
  EXPECT_EQ(status(6), 0) << "there is room again";
}

TEST_F(HttpFront, NoPicture_IsRefusedBeforeItIsSent) {
  ask(1, Asks::Classify, "", kLocal, "GIF89a");
  EXPECT_EQ(status(1), 415);
  EXPECT_TRUE(sent().empty());
}

TEST_F(HttpFront, OutcomeThatNeverComes_IsSaidInTime) {
  ask(1, Asks::Classify, "42");
  clock_.advance(seconds(61));
  front_.turn({});
  EXPECT_EQ(status(1), 504);
  EXPECT_NE(body(1)["next"].get<std::string>().find("'42'"), std::string::npos);
  EXPECT_EQ(front_.tasks_open(), 0U);
  answer(sent().at(0));  // nobody waits for it any more
}

TEST_F(HttpFront, ManyWhoAsk_AreOneQuestionASecond) {
  const auto reply_to_questions = [this] {
    for (const wire::Envelope& question : std::exchange(questions_, {})) {
      wire::Envelope reply;
      reply.correlation_id = question.correlation_id;
      reply.body = wire::make_body(question.body->find("\"devices\"") != std::string::npos
                                       ? R"({"devices":[{"id":"d","state":"live"}]})"
                                       : R"({"devices":2,"version":"x"})");
      transport_.deliver("", reply);
    }
    front_.turn({});
  };
  for (Ticket ticket = 1; ticket <= 5; ++ticket) {
    ask(ticket, Asks::Status);
  }
  sent();
  EXPECT_EQ(questions_.size(), 1U);
  reply_to_questions();
  ask(6, Asks::Status);
  sent();
  EXPECT_TRUE(questions_.empty());
  EXPECT_EQ(status(5), 200);
  EXPECT_EQ(status(6), 200);
  clock_.advance(seconds(2));
  ask(7, Asks::Metrics);
  sent();
  EXPECT_EQ(questions_.size(), 2U) << "status and devices";
  reply_to_questions();
  EXPECT_EQ(status(7), 200);
}

TEST_F(HttpFront, ControllerThatDoesNotAnswer_IsSaidAfterFiveSeconds) {
  ask(1, Asks::Models);
  clock_.advance(seconds(6));
  front_.turn({});
  EXPECT_EQ(status(1), 503);
}

}  // namespace
}  // namespace juggler::http
