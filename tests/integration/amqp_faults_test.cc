// What a real broker and a bad network do to sessions: who leads after a crash or a hang and how
// soon, and what a device does about a lost connection, lost rights and the broker's patience.

#include <chrono>

#include "amqp/dead_letters.h"
#include "faults/tcp_proxy.h"
#include "support/broker_node.h"
#include "wire/messages.h"

namespace juggler::test {
namespace {

using amqp::SessionSpec;
using std::chrono::duration;
using std::chrono::steady_clock;

BrokerNode& node() { return BrokerNode::get(); }

class AmqpFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    node().reset();
    auto opened = TcpProxy::open({.target_port = node().url("controller").port});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    proxy_ = std::move(*opened);
  }

  // The same broker, through the proxy.
  amqp::BrokerUrl through_proxy(const std::string& user) const {
    amqp::BrokerUrl url = node().url(user);
    url.port = proxy_->port();
    return url;
  }
  static Peer controller(amqp::BrokerUrl url, const std::string& name, bool standby = false) {
    return Peer(amqp::make_transport(amqp::controller_session(std::move(url), name, standby)));
  }
  static Peer device(amqp::BrokerUrl url, std::int64_t incarnation = 1) {
    return Peer(
        amqp::make_transport(amqp::device_session(std::move(url), kDevice, incarnation, 8)));
  }
  static double seconds_since(steady_clock::time_point begun) {
    return duration<double>(steady_clock::now() - begun).count();
  }
  // Its session is complete, down to the tasks.
  static void await_leading(Peer& leader) {
    ASSERT_TRUE(leader.await_connected());
    ASSERT_EQ(leader.publish(message_to("juggler.tasks", "task")), PublishEnd::Confirmed);
    ASSERT_TRUE(leader.await_deliveries(1));
  }

  // Until the device consumes its queue.
  static void await_consumer(Peer& leader, Peer& edge) {
    ASSERT_TRUE(edge.await([&] {
      leader.poll();
      leader->ask_presence(kDevice);
      return !leader.presences.empty() && leader.presences.back().present;
    }));
  }

  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(AmqpFaults, LeaderWhoseProcessDies_IsFollowedWithin2s) {
  Peer leader = controller(through_proxy("controller"), "first");
  await_leading(leader);
  Peer standby = controller(node().url("controller"), "second", /*standby=*/true);
  (void)standby.await([&, begun = steady_clock::now()] { return seconds_since(begun) > 1.0; });
  const auto begun = steady_clock::now();
  proxy_->cut();  // as the kernel closes a dead process's socket
  ASSERT_TRUE(standby.await_connected());
  const double took_s = seconds_since(begun);
  std::printf("[ measured ] a standby led %.2f s after the leader's death\n", took_s);
  EXPECT_LT(took_s, 2.0);
}

TEST_F(AmqpFaults, LeaderThatLosesItsChannelAlone_LeavesNothingThatItsFollowerIsRefused) {
  Peer leader = controller(node().url("controller"), "first");
  await_leading(leader);
  Peer standby = controller(node().url("controller"), "second", /*standby=*/true);
  (void)standby.await([&, begun = steady_clock::now()] { return seconds_since(begun) > 1.0; });
  wire::Envelope astray = message_to("x", "astray");
  astray.exchange = "juggler.nowhere";  // 404, which closes the channel and not the connection
  leader.publish_later(std::move(astray));
  ASSERT_TRUE(leader.await([&] { return !leader.disconnected.empty(); }));
  ASSERT_TRUE(standby.await_connected());
  EXPECT_TRUE(standby.disconnected.empty()) << standby.disconnected[0].reason;
}

TEST_F(AmqpFaults, LeaderThatHangs_IsFollowedByTheBrokersHeartbeats) {
  Peer leader = controller(through_proxy("controller"), "first");
  await_leading(leader);
  Peer standby = controller(node().url("controller"), "second", /*standby=*/true);
  (void)standby.await([&, begun = steady_clock::now()] { return seconds_since(begun) > 1.0; });
  proxy_->hold(Direction::Up);  // it says nothing more, and nothing ends its connection
  const auto begun = steady_clock::now();
  ASSERT_TRUE(standby.await_connected());
  const double took_s = seconds_since(begun);
  std::printf("[ measured ] a standby led %.2f s after the leader's last word\n", took_s);
  EXPECT_GT(took_s, 2.0) << "a leader that pauses for two seconds keeps its lead";
  EXPECT_LT(took_s, 7.0);  // 4 to 6 s by the broker's clock, and a busy machine
}

// The lock of a cluster, on one node. A cluster that loses a node: tests/e2e/cluster_test.py.
TEST_F(AmqpFaults, OnQuorumQueues_OneOfTwoLeadsAndItsDeathIsFollowedWithin2s) {
  node().declare(fleet_topology(QueueKind::Quorum));
  Peer leader = controller(through_proxy("controller"), "first");
  await_leading(leader);
  Peer standby = controller(node().url("controller"), "second", /*standby=*/true);
  (void)standby.await([&, begun = steady_clock::now()] {
    leader.poll();
    return seconds_since(begun) > 2.0;  // it asks ten times, and would have led after one second
  });
  ASSERT_TRUE(standby.connected.empty());
  ASSERT_TRUE(standby.disconnected.empty()) << "to ask costs no channel";
  const auto begun = steady_clock::now();
  proxy_->cut();
  ASSERT_TRUE(standby.await_connected());
  EXPECT_LT(seconds_since(begun), 2.0);
  EXPECT_GT(standby.connected.back().epoch, leader.connected.back().epoch);
}

TEST_F(AmqpFaults, Standby_GivesWayToAControllerThatStartsBesideIt) {
  Peer standby = controller(node().url("controller"), "standby", /*standby=*/true);
  standby.poll();
  Peer other = controller(node().url("controller"), "other");
  ASSERT_TRUE(other.await([&] {
    standby.poll();
    return !other.connected.empty() || !standby.connected.empty();
  }));
  EXPECT_EQ(other.connected.size(), 1U);
  EXPECT_TRUE(standby.connected.empty());
}

TEST_F(AmqpFaults, StandbyAlone_LeadsAllTheSame) {
  Peer standby = controller(node().url("controller"), "standby", /*standby=*/true);
  EXPECT_TRUE(standby.await_connected());
}

// A cable is pulled under a device: its broker still believes in it, and the device comes back.
TEST_F(AmqpFaults, HalfOpenDevice_IsServedByItsNewConnectionAtOnce) {
  Peer leader = controller(node().url("controller"), "leader");
  await_leading(leader);
  leader->enrol(kDevice);
  ASSERT_TRUE(leader.await([&] { return node().ready(device_control_queue(kDevice)) >= 0; }));
  Peer edge = device(through_proxy(kDevice));
  ASSERT_TRUE(edge.await_connected());
  await_consumer(leader, edge);
  proxy_->half_open(Side::Client);
  ASSERT_TRUE(edge.await([&] { return !edge.disconnected.empty(); }));
  Peer again = device(through_proxy(kDevice), 2);
  ASSERT_TRUE(again.await_connected());
  const auto turns = [count = 0]() mutable { return ++count > 50; };
  ASSERT_TRUE(again.await(turns));  // its second consumer is there, too
  wire::Envelope dispatch = message_to(kDevice, "work");
  dispatch.exchange = "juggler.dispatch";
  const auto begun = steady_clock::now();
  ASSERT_EQ(leader.publish(dispatch), PublishEnd::Confirmed);
  ASSERT_TRUE(again.await_deliveries(1));
  EXPECT_LT(seconds_since(begun), 2.0) << "the half-dead connection got it first";
}

TEST_F(AmqpFaults, HeldConnection_IsGivenUpAndComesBack) {
  SessionSpec spec = session({});
  spec.broker = through_proxy("controller");
  Peer peer(amqp::make_transport(spec));
  ASSERT_TRUE(peer.await_connected());
  proxy_->hold(Direction::Down);
  const auto begun = steady_clock::now();
  ASSERT_TRUE(peer.await([&] { return !peer.disconnected.empty(); }));
  const double took_s = seconds_since(begun);
  std::printf("[ measured ] a silent broker was given up after %.1f s\n", took_s);
  EXPECT_LT(took_s, 12.0);
  proxy_->heal();
  ASSERT_TRUE(peer.await_connected(2));
  EXPECT_EQ(peer.publish(message_to("juggler.unrouted", "x")), PublishEnd::Returned);
}

TEST_F(AmqpFaults, RightsTakenAway_EndTheSessionAndGivenBackRestoreIt) {
  Peer leader = controller(node().url("controller"), "leader");
  await_leading(leader);
  leader->enrol(kDevice);
  ASSERT_TRUE(leader.await([&] { return node().ready(device_control_queue(kDevice)) >= 0; }));
  Peer edge = device(node().url(kDevice));
  ASSERT_TRUE(edge.await_connected());
  wire::Envelope beat = message_to(std::string("heartbeat.") + kDevice, "beat");
  beat.exchange = "juggler.up";
  ASSERT_EQ(edge.publish(beat), PublishEnd::Confirmed);
  const std::string read = std::string("^juggler\\.device\\.") + kDevice + "(\\.control)?$";
  ASSERT_TRUE(node().control({"set_permissions", "-p", "juggler", kDevice, "^$", "^$", read},
                             {&leader, &edge}));
  // A channel remembers what it was allowed until it hibernates: after 1 to 2 s of quiet, and twice
  // that each time that it is woken soon.
  EXPECT_TRUE(edge.await([&, turns = 60]() mutable {
    turns *= 2;  // of 20 ms
    (void)edge.await([left = turns]() mutable { return --left < 0; });
    return edge.publish(beat) == PublishEnd::Unknown;
  }));
  ASSERT_TRUE(edge.await([&] { return !edge.disconnected.empty(); }));
  EXPECT_NE(edge.disconnected[0].reason.find("403"), std::string::npos)
      << edge.disconnected[0].reason;
  ASSERT_TRUE(
      node().control({"set_permissions", "-p", "juggler", kDevice, "^$", "^juggler\\.up$", read},
                     {&leader, &edge}));
  ASSERT_TRUE(edge.await([&] { return edge.connected.size() >= 2; }));
  EXPECT_TRUE(edge.await([&] { return edge.publish(beat) == PublishEnd::Confirmed; }));
}

// Somebody cleans up under a running fleet.
TEST_F(AmqpFaults, QueueOfResultsDeletedUnderItsLeader_IsDeclaredAgain) {
  Peer leader = controller(node().url("controller"), "leader");
  await_leading(leader);
  ASSERT_TRUE(node().control({"delete_queue", "-p", "juggler", "juggler.results"}, {&leader}));
  ASSERT_TRUE(leader.await_connected(2));
  EXPECT_GT(leader.connected[1].epoch, leader.connected[0].epoch);
  EXPECT_GE(node().ready("juggler.results"), 0);
}

// An unacknowledged delivery is given up by the broker after consumer_timeout, with the channel.
TEST_F(AmqpFaults, BrokerOutOfPatience_ClosesTheChannelAndItComesAgain) {
  const auto evaluate = [](const std::string& text) { return node().control({"eval", text}, {}); };
  ASSERT_TRUE(
      evaluate("application:set_env(rabbit, consumer_timeout, 1000), "
               "application:set_env(rabbit, channel_tick_interval, 500)."));
  node().declare({.exchanges = {}, .queues = {plain_queue("juggler.test.work")}, .bindings = {}});
  Peer consumer(node().connect(session({{.queue = "juggler.test.work", .prefetch = 5}})));
  ASSERT_TRUE(consumer.await_connected());
  ASSERT_EQ(consumer.publish(message_to("juggler.test.work", "slow")), PublishEnd::Confirmed);
  ASSERT_TRUE(consumer.await_deliveries(1));
  ASSERT_TRUE(consumer.await([&] { return !consumer.disconnected.empty(); }));
  EXPECT_NE(consumer.disconnected[0].reason.find("406"), std::string::npos)
      << consumer.disconnected[0].reason;
  ASSERT_TRUE(consumer.await_deliveries(2));
  EXPECT_TRUE(consumer.deliveries[1].redelivered);
  consumer->ack(consumer.deliveries[1].id);
  consumer.settle();
  EXPECT_TRUE(
      evaluate("application:set_env(rabbit, consumer_timeout, 900000), "
               "application:set_env(rabbit, channel_tick_interval, 60000)."));
}

TEST_F(AmqpFaults, DeadLetters_AreLookedAtPutBackAndSubmittedAgain) {
  Peer leader = controller(node().url("controller"), "leader");
  await_leading(leader);
  Submission task;
  task.key = {"user:somebody", "failed-1"};
  task.payload.kind = PayloadKind::Jpeg;
  Outcome outcome;
  outcome.key = task.key;
  outcome.kind = OutcomeKind::Failed;
  outcome.reason = "3 attempts failed";
  ASSERT_EQ(leader.publish(wire::encode_dead(outcome, task, wire::make_body("picture"))),
            PublishEnd::Confirmed);
  {
    auto look = amqp::DeadLetters::open(node().url("controller"));
    ASSERT_TRUE(look.has_value()) << look.error().message;
    const auto letter = look->next(amqp::DeadQueue::Failed);
    ASSERT_TRUE(letter.has_value() && letter->has_value());
    EXPECT_EQ((*letter)->envelope.message_id, "failed-1");
    const auto none = look->next(amqp::DeadQueue::Failed);
    EXPECT_TRUE(none.has_value() && !none->has_value());
  }
  ASSERT_TRUE(leader.await([&] { return node().ready("juggler.failed") == 1; }))
      << "it is put back";
  auto look = amqp::DeadLetters::open(node().url("controller"));
  const auto letter = look->next(amqp::DeadQueue::Failed);
  ASSERT_TRUE(letter.has_value() && letter->has_value());
  const auto again = wire::submit_again((*letter)->envelope, "failed-1-again");
  ASSERT_TRUE(again.has_value());
  const auto replaced = look->replace(**letter, *again);
  ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
  ASSERT_TRUE(leader.await_deliveries(2));
  EXPECT_EQ(leader.deliveries[1].envelope.message_id, "failed-1-again");
  EXPECT_EQ(*leader.deliveries[1].envelope.body, "picture");
  EXPECT_EQ(node().ready("juggler.failed"), 0);
}

TEST_F(AmqpFaults, DeadLettersWithoutTheRights_SaysWhichItNeeds) {
  auto look = amqp::DeadLetters::open(node().url("submitter"));
  ASSERT_TRUE(look.has_value());
  const auto letter = look->next(amqp::DeadQueue::Dead);
  ASSERT_FALSE(letter.has_value());
  EXPECT_NE(letter.error().message.find("a controller's rights"), std::string::npos)
      << letter.error().message;
}

}  // namespace
}  // namespace juggler::test
