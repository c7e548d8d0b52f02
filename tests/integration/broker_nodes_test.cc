// Several addresses of one broker: how they are read and shown, and which is tried when.

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string_view>

#include "amqp/broker_nodes.h"
#include "amqp/definitions.h"
#include "nlohmann/json.hpp"

namespace juggler::amqp {
namespace {

BrokerUrl url(std::string_view text) {
  auto parsed = BrokerUrl::parse(text);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  return parsed.value_or(BrokerUrl{});
}

constexpr const char* kThree = "amqp://pi5:secret@a:1/juggler,amqp://b:2,amqp://c:3";

TEST(BrokerUrl, SeveralNodes_TakeWhatTheyLeaveOutFromTheFirst) {
  const BrokerUrl broker = url(kThree);
  EXPECT_EQ(broker.host, "a");
  ASSERT_EQ(broker.others.size(), 2U);
  for (const BrokerUrl& node : broker.others) {
    EXPECT_EQ(node.user, "pi5");
    EXPECT_EQ(node.password, "secret");
    EXPECT_EQ(node.vhost, "juggler");
    EXPECT_TRUE(node.others.empty());
  }
  EXPECT_EQ(broker.others[0].port, 2);
  EXPECT_EQ(broker.others[1].host, "c");
}

TEST(BrokerUrl, SeveralNodes_HaveOptionsOfTheirOwn) {
  const std::string pin_a(64, 'a');
  const std::string pin_b(64, 'b');
  const BrokerUrl broker = url("amqps://u:p@a/v?fingerprint=sha256:" + pin_a +
                               ",amqps://b/v?fingerprint=sha256:" + pin_b + ",amqps://c/v");
  EXPECT_EQ(broker.others[0].fingerprint, pin_b);
  EXPECT_EQ(broker.others[1].fingerprint, pin_a);
  EXPECT_EQ(broker.others[1].port, 5671);
}

TEST(BrokerUrl, SeveralNodes_ReadBackAsTheyWereWritten) {
  const BrokerUrl broker = url(kThree);
  EXPECT_EQ(url(broker.text()).text(), broker.text());
  EXPECT_EQ(broker.redacted(), "amqp://pi5@a:1/juggler and 2 more");
}

TEST(BrokerUrl, NodeThatIsStricterThanTheFirst_ReadsBackAsStrict) {
  const BrokerUrl broker =
      url("amqps://u:p@a/v?verify=verify_none&server_name_indication=x,"
          "amqps://b/v?verify=verify_peer&server_name_indication=");
  const BrokerUrl again = url(broker.text());
  EXPECT_FALSE(again.verify_peer);
  ASSERT_EQ(again.others.size(), 1U);
  EXPECT_TRUE(again.others[0].verify_peer);
  EXPECT_EQ(again.others[0].server_name, "");
}

TEST(BrokerUrl, NodesThatCannotBeOneCluster_AreRefused) {
  for (const char* text :
       {"amqp://u:p@a/v,amqp://w:p@b/v", "amqp://u:p@a/v,amqp://u:p@b/w", "amqps://a/v,amqp://b/v",
        "amqp://a,b", "amqp://a/v,b/v", "amqp://a,amqp://", "amqp://a,amqp://b:0"}) {
    EXPECT_FALSE(BrokerUrl::parse(text)) << text;
  }
  std::string many = "amqp://a";
  for (std::size_t i = 0; i < BrokerUrl::kNodesMax; ++i) {
    many += ",amqp://a";
  }
  EXPECT_FALSE(BrokerUrl::parse(many));
}

TEST(BrokerUrl, PasswordOfAnyNode_IsSeen) {
  EXPECT_FALSE(holds_password("amqp://u@a:1/v,amqp://u@b:2/v"));
  EXPECT_TRUE(holds_password("amqp://u@a:1/v,amqp://u:p@b:2/v"));
  EXPECT_TRUE(holds_password("amqp://u:p@a:1/v,amqp://b:2/v"));
}

TEST(BrokerUrl, LoginOfACluster_IsSetAtEveryNode) {
  BrokerUrl broker = url(kThree);
  broker.set_login("nano", "other");
  EXPECT_EQ(broker.others[1].user, "nano");
  EXPECT_EQ(broker.others[1].password, "other");
}

TEST(BrokerNodes, LostOnes_AreTriedInTurn) {
  BrokerNodes nodes(url(kThree), nullptr);
  EXPECT_EQ(nodes.next().host, "a");
  EXPECT_EQ(nodes.next().host, "a");
  nodes.lost();
  EXPECT_EQ(nodes.next().host, "b");
  EXPECT_TRUE(nodes.next().others.empty());
  EXPECT_EQ(nodes.all().others[1].host, "a");
  nodes.lost();
  nodes.lost();
  EXPECT_EQ(nodes.next().host, "a");
}

TEST(BrokerNodes, ChangedLogin_IsReadBeforeTheNextConnection) {
  Result<BrokerUrl> now = url("amqp://pi5:first@a/v");
  int asked = 0;
  BrokerNodes nodes(*now, [&] {
    ++asked;
    return now;
  });
  EXPECT_EQ(nodes.next().password, "first");
  EXPECT_EQ(asked, 0);
  now = url("amqp://pi5:second@b/v");
  EXPECT_EQ(nodes.next().password, "second");
  EXPECT_EQ(nodes.all().host, "b");
  now = fail(ErrorCode::NotFound, "gone");
  EXPECT_EQ(nodes.next().password, "second");
  now = url("amqp://controller:third@a/v");
  EXPECT_EQ(nodes.next().user, "pi5") << "another user's login was taken";
}

TEST(Definitions, QuorumQueues_AreAskedForEverywhere) {
  Definitions definitions;
  definitions.kind = QueueKind::Quorum;
  definitions.topology = {fleet_topology(QueueKind::Quorum),
                          device_topology("edge01", QueueKind::Quorum)};
  const std::string text = definitions_json(definitions);
  EXPECT_EQ(text.find("classic"), std::string::npos);
  EXPECT_EQ(text.find("queue-mode"), std::string::npos) << "quorum queues have no mode";
  EXPECT_NE(text.find("quorum"), std::string::npos);
}

TEST(Definitions, ReplyQueues_AreBoundedOnEveryKindOfQueues) {
  for (const QueueKind kind : {QueueKind::Classic, QueueKind::Quorum}) {
    Definitions definitions;
    definitions.kind = kind;
    const auto document = nlohmann::json::parse(definitions_json(definitions));
    const auto& policies = document.at("policies");
    const auto replies = std::find_if(policies.begin(), policies.end(), [](const auto& policy) {
      return policy.at("name") == "juggler-replies";
    });
    ASSERT_TRUE(replies != policies.end());
    const auto& definition = replies->at("definition");
    EXPECT_GT(definition.at("max-length-bytes").get<std::int64_t>(), 0);
    EXPECT_EQ(definition.at("overflow").get<std::string>(), "reject-publish");
    EXPECT_GE(definition.at("expires").get<std::int64_t>(), std::int64_t{7} * 24 * 3'600 * 1'000)
        << "outcomes may be fetched later";
    EXPECT_GE(document.at("parameters").at(0).at("value").at("max-queues").get<int>(), 2 * 4'096);
  }
}

// max-length-bytes counts bodies: headers without a body would be bounded by nothing.
TEST(Definitions, QueuesThatOthersFill_AreBoundedByCountToo) {
  for (const QueueKind kind : {QueueKind::Classic, QueueKind::Quorum}) {
    Definitions definitions;
    definitions.kind = kind;
    const auto document = nlohmann::json::parse(definitions_json(definitions));
    for (const char* queue : {"juggler.tasks", "juggler.results", "juggler.unrouted",
                              "juggler.failed", "juggler.dead", "amq.gen-x"}) {
      nlohmann::json counts;
      int priority = -1;
      for (const auto& policy : document.at("policies")) {
        const std::regex pattern(policy.at("pattern").get<std::string>());
        if (std::regex_search(queue, pattern) && policy.at("priority").get<int>() > priority) {
          priority = policy.at("priority").get<int>();
          counts = policy.at("definition");
        }
      }
      ASSERT_TRUE(counts.contains("max-length")) << queue;
      EXPECT_GE(counts.at("max-length").get<int>(), 1'000) << queue;
      EXPECT_LE(counts.at("max-length").get<int>(), 50'000) << queue;
      const bool reply = std::string_view(queue).starts_with("amq.");
      EXPECT_EQ(counts.contains("queue-mode"), kind == QueueKind::Classic && !reply) << queue;
    }
  }
}

TEST(Definitions, EveryRoleButTheControllersHasLimits) {
  Definitions definitions;
  definitions.users = {{"controller", UserRole::Controller, ""},
                       {"door", UserRole::Submitter, ""},
                       {"pi5", UserRole::Device, ""},
                       {"join.1.x", UserRole::Token, ""}};
  const auto document = nlohmann::json::parse(definitions_json(definitions));
  for (const auto& user : document.at("users")) {
    const auto& limits = user.at("limits");
    EXPECT_EQ(limits.contains("max-connections") && limits.contains("max-channels"),
              user.at("name") != "controller")
        << user.dump();
  }
}

}  // namespace
}  // namespace juggler::amqp
