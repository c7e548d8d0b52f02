// The sessions of controllers, devices and clients on a real broker: who may do what, who leads,
// how a device joins, and what a stranger's message can do.

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "amqp/library.h"
#include "support/broker_node.h"

#if __has_include(<rabbitmq-c/tcp_socket.h>)
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp_tcp_socket.h>
#endif

namespace juggler::test {
namespace {

using amqp::SessionSpec;

BrokerNode& node() { return BrokerNode::get(); }

class AmqpSession : public ::testing::Test {
 protected:
  void SetUp() override { node().reset(); }

  static Peer controller(const std::string& name = "controller") {
    return Peer(amqp::make_transport(amqp::controller_session(node().url("controller"), name)));
  }
  static Peer device(const std::string& id, std::int64_t incarnation = 1) {
    return Peer(amqp::make_transport(amqp::device_session(node().url(id), id, incarnation, 2)));
  }
  static Peer client() {
    return Peer(amqp::make_transport(amqp::client_session(node().url("submitter"), "client")));
  }
  static wire::Envelope to(const char* exchange, const std::string& key, const std::string& body) {
    wire::Envelope message = message_to(key, body);
    message.exchange = exchange;
    return message;
  }
  static bool enrolled(Peer& leader, const std::string& id) {
    leader->enrol(id);
    return leader.await([&] { return node().ready(device_control_queue(id)) >= 0; });
  }
};

// --- leading

TEST_F(AmqpSession, Epoch_GrowsWithEachLeader) {
  std::int64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    Peer leader = controller();
    ASSERT_TRUE(leader.await_connected());
    EXPECT_GT(leader.connected[0].epoch, last);
    last = leader.connected[0].epoch;
    EXPECT_EQ(leader.publish(message_to("juggler.decided", "x")), PublishEnd::Confirmed);
    leader->close(seconds(2));
    EXPECT_EQ(node().ready("juggler.epoch"), 1);
  }
}

TEST_F(AmqpSession, Epoch_ExceedsAnyThatWasLeft) {
  {
    Peer first = controller();
    ASSERT_TRUE(first.await_connected());
    for (const char* text : {"4000000000", "junk", "99999999999999999999", "-5", ""}) {
      ASSERT_EQ(first.publish(message_to("juggler.epoch", text)), PublishEnd::Confirmed);
    }
    first->close(seconds(2));
  }
  Peer second = controller();
  ASSERT_TRUE(second.await_connected());
  EXPECT_EQ(second.connected[0].epoch, 4'000'000'001);
}

TEST_F(AmqpSession, Standby_HearsTheFleetAndTakesOver) {
  Peer leader = controller("first");
  ASSERT_TRUE(leader.await_connected());
  Peer standby = controller("second");
  Peer edge = device(kDevice);
  ASSERT_TRUE(edge.await_connected());
  ASSERT_TRUE(standby.await([&] {
    (void)edge.publish(to("juggler.up", "heartbeat.edge01", "beat"));
    standby.poll();
    return !standby.deliveries.empty();
  }));
  EXPECT_EQ(standby.deliveries[0].queue, "juggler.events");
  EXPECT_TRUE(standby.connected.empty());
  ASSERT_TRUE(leader.await_deliveries(1));

  leader->close(seconds(2));
  ASSERT_TRUE(standby.await_connected());
  EXPECT_GT(standby.connected[0].epoch, leader.connected[0].epoch);
  EXPECT_TRUE(standby.disconnected.empty());
}

TEST_F(AmqpSession, StandbyPublishes_AreUnknownNeverSent) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  Peer standby = controller("second");
  standby.poll();
  EXPECT_EQ(standby.publish(message_to("juggler.decided", "stale")), PublishEnd::Unknown);
  EXPECT_EQ(node().ready("juggler.decided"), 0);
}

TEST_F(AmqpSession, NewLeader_ReadsResultsAndDecidedBeforeTasks) {
  {
    Peer old = controller();
    ASSERT_TRUE(old.await_connected());
    old->close(seconds(2));
  }
  Peer edge = device(kDevice);
  Peer submitter = client();
  ASSERT_TRUE(edge.await_connected() && submitter.await_connected());
  for (int i = 0; i < 30; ++i) {
    submitter.publish_later(to("juggler.submit", "juggler.tasks", "task"));
    edge.publish_later(to("juggler.up", "result.edge01", "result"));
  }
  Peer helper(node().connect(session({})));
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(helper.publish(message_to("juggler.decided", "decided")), PublishEnd::Confirmed);
  }
  ASSERT_TRUE(submitter.await([&] { return submitter.settlements.size() == 30; }));
  ASSERT_TRUE(edge.await([&] { return edge.settlements.size() == 30; }));

  Peer leader = controller();
  ASSERT_TRUE(leader.await_deliveries(90));
  const auto first_task =
      std::find_if(leader.deliveries.begin(), leader.deliveries.end(),
                   [](const TransportDelivery& d) { return d.queue == "juggler.tasks"; });
  EXPECT_EQ(first_task - leader.deliveries.begin(), 60);
  EXPECT_EQ(node().ready("juggler.decided"), 30);  // for the next leader
}

TEST_F(AmqpSession, Query_ReachesTheLeaderByTheSubmitExchange) {
  Peer leader = controller();
  Peer asking = client();
  ASSERT_TRUE(leader.await_connected() && asking.await_connected());
  wire::Envelope question = to("juggler.submit", "juggler.queries", "devices?");
  question.reply_to = asking.connected[0].reply_queue;
  ASSERT_TRUE(asking.await([&] {
    leader.poll();
    return asking.publish(question) == PublishEnd::Confirmed;
  }));
  ASSERT_TRUE(leader.await_deliveries(1));
  EXPECT_EQ(leader.deliveries[0].queue, "juggler.queries");
  ASSERT_EQ(leader.publish(message_to(leader.deliveries[0].envelope.reply_to, "answer")),
            PublishEnd::Confirmed);
  EXPECT_TRUE(asking.await_deliveries(1));

  leader->close(seconds(2));
  EXPECT_EQ(asking.publish(question), PublishEnd::Returned);
}

// --- joining

TEST_F(AmqpSession, UnenrolledDevice_SaysHelloAndWorksOnceEnrolled) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  Peer edge = device(kDevice);
  ASSERT_TRUE(edge.await_connected());
  EXPECT_EQ(edge.publish(to("juggler.up", "hello.edge01", "hello")), PublishEnd::Confirmed);
  ASSERT_TRUE(leader.await_deliveries(1));
  EXPECT_EQ(leader.deliveries[0].envelope.routing_key, "hello.edge01");
  EXPECT_EQ(leader.publish(to("juggler.dispatch", kDevice, "early")), PublishEnd::Returned);
  edge.poll();
  EXPECT_TRUE(edge.serving.empty());

  ASSERT_TRUE(enrolled(leader, kDevice));
  ASSERT_TRUE(leader.await([&] {
    return leader.publish(to("juggler.dispatch", kDevice, "work")) == PublishEnd::Confirmed;
  }));
  ASSERT_TRUE(edge.await_deliveries(1));
  EXPECT_EQ(edge.deliveries[0].queue, "juggler.device.edge01");
  EXPECT_TRUE(edge.await([&] { return edge.serving == std::vector<bool>{true}; }));
  EXPECT_EQ(edge.connected.size(), 1U);  // one session all along: nothing it sent was lost
  EXPECT_TRUE(edge.disconnected.empty());

  ASSERT_TRUE(edge.await([&] {
    (void)leader.publish(to("juggler.control", "all", "drain"));
    edge.poll();
    return edge.deliveries.back().queue == "juggler.device.edge01.control";
  }));
}

TEST_F(AmqpSession, DeletedDeviceQueue_IsWaitedFor) {
  Peer leader = controller();
  Peer edge = device(kDevice);
  ASSERT_TRUE(leader.await_connected() && edge.await_connected());
  ASSERT_TRUE(enrolled(leader, kDevice));
  const auto work_arrives = [&](std::size_t count) {
    return edge.await([&] {
      (void)leader.publish(to("juggler.dispatch", kDevice, "work"));
      edge.poll();
      return edge.deliveries.size() >= count;
    });
  };
  ASSERT_TRUE(work_arrives(1));
  edge->ack(edge.deliveries[0].id);
  edge.poll();
  ASSERT_TRUE(
      node().control({"-p", "juggler", "delete_queue", "juggler.device.edge01"}, {&leader, &edge}));
  ASSERT_TRUE(edge.await([&] { return node().ready("juggler.device.edge01") < 0; }));
  ASSERT_TRUE(enrolled(leader, kDevice));
  const std::size_t before = edge.deliveries.size();
  EXPECT_TRUE(work_arrives(before + 1));
  EXPECT_TRUE(edge.await([&] { return edge.serving.size() >= 3; }));
  EXPECT_EQ(edge.serving, (std::vector<bool>{true, false, true}));
  EXPECT_TRUE(edge.disconnected.empty());
}

// --- permissions

TEST_F(AmqpSession, Device_CannotReadAnothersQueue) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  ASSERT_TRUE(enrolled(leader, kOtherDevice));
  SessionSpec spec = session({{.queue = device_queue(kOtherDevice)}});
  spec.role = amqp::SessionRole::Device;
  spec.broker = node().url(kDevice);
  Peer thief(amqp::make_transport(spec));
  ASSERT_TRUE(thief.await([&] { return !thief.disconnected.empty(); }));
  EXPECT_NE(thief.disconnected[0].reason.find("403"), std::string::npos)
      << thief.disconnected[0].reason;
}

TEST_F(AmqpSession, Device_CannotSpeakAsAnother) {
  Peer leader = controller();
  Peer edge = device(kDevice);
  ASSERT_TRUE(leader.await_connected() && edge.await_connected());
  EXPECT_EQ(edge.publish(to("juggler.up", "result.edge02", "forged")), PublishEnd::Unknown);
  ASSERT_TRUE(edge.await_connected(2));
  EXPECT_NE(edge.disconnected[0].reason.find("403"), std::string::npos);

  wire::Envelope forged = to("juggler.up", "result.edge01", "forged");
  forged.user_id = "edge02";
  EXPECT_EQ(edge.publish(forged), PublishEnd::Unknown);
  ASSERT_TRUE(edge.await_connected(3));
  forged.user_id = kDevice;
  EXPECT_EQ(edge.publish(forged), PublishEnd::Confirmed);
}

TEST_F(AmqpSession, DeviceAndSubmitter_CannotWriteElsewhere) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  for (const char* user : {kDevice, "submitter"}) {
    SessionSpec spec = session({});
    spec.broker = node().url(user);
    for (const wire::Envelope& message :
         {message_to("juggler.results", "x"), to("juggler.dispatch", kDevice, "x")}) {
      Peer stranger(amqp::make_transport(spec));
      EXPECT_EQ(stranger.publish(message), PublishEnd::Unknown) << user;
    }
    spec.declare_topology = true;
    Peer declarer(amqp::make_transport(spec));
    ASSERT_TRUE(declarer.await([&] { return !declarer.disconnected.empty(); }));
    EXPECT_NE(declarer.disconnected[0].reason.find("configure '^juggler"), std::string::npos)
        << declarer.disconnected[0].reason;
  }
}

TEST_F(AmqpSession, WrongPassword_IsSaidPlainly) {
  SessionSpec spec = session({});
  spec.broker = node().url("controller");
  spec.broker.password = "wrong";
  Peer stranger(amqp::make_transport(spec));
  ASSERT_TRUE(stranger.await([&] { return !stranger.disconnected.empty(); }));
  const std::string& reason = stranger.disconnected[0].reason;
  EXPECT_NE(reason.find("ACCESS_REFUSED"), std::string::npos) << reason;
  EXPECT_EQ(reason.find("wrong"), std::string::npos) << "the password is shown";
}

// --- refusals of the channel

TEST_F(AmqpSession, MissingExchange_CostsTheChannelNotTheReplyQueue) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  SessionSpec spec = session({});
  spec.broker = node().url("controller");
  Peer asking(node().connect(spec));
  Peer replies = client();
  ASSERT_TRUE(asking.await_connected() && replies.await_connected());
  EXPECT_EQ(asking.publish(to("juggler.nowhere", "k", "x")), PublishEnd::Unknown);
  EXPECT_EQ(asking.publish(message_to("juggler.decided", "x")), PublishEnd::Confirmed);

  EXPECT_EQ(replies.publish(message_to("juggler.tasks", "no right to")), PublishEnd::Unknown);
  ASSERT_TRUE(replies.await_connected(2));
  EXPECT_EQ(replies.connected[0].reply_queue, replies.connected[1].reply_queue);
  EXPECT_EQ(asking.publish(message_to(replies.connected[0].reply_queue, "answer")),
            PublishEnd::Confirmed);
  EXPECT_TRUE(replies.await_deliveries(1));
}

TEST_F(AmqpSession, TooLarge_IsRefusedBeforeItIsSent) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  EXPECT_EQ(leader.publish(message_to("juggler.decided", std::string(17U << 20U, 'x'))),
            PublishEnd::Refused);
  EXPECT_EQ(leader.publish(message_to("juggler.dead", std::string(16U << 20U, 'x'))),
            PublishEnd::Confirmed);
  EXPECT_EQ(leader.publish(message_to(std::string(300, 'k'), "x")), PublishEnd::Refused);
  EXPECT_TRUE(leader.disconnected.empty());
}

TEST_F(AmqpSession, Bounds_RefuseWhatIsBeyondThem) {
  SessionSpec spec = session({});
  spec.broker = node().url("controller");
  spec.publishes_max = 3;
  Peer many(amqp::make_transport(spec));
  for (int i = 0; i < 5; ++i) {
    many.publish_later(message_to("juggler.test.nowhere", "x"));
  }
  ASSERT_TRUE(many.await([&] { return many.settlements.size() == 5; }));
  EXPECT_EQ(many.settled(PublishEnd::Refused), 2U);

  spec.publish_bytes_max = mebibytes(1);
  Peer large(amqp::make_transport(spec));
  large.publish_later(message_to("juggler.test.nowhere", std::string(900'000, 'x')));
  large.publish_later(message_to("juggler.test.nowhere", std::string(900'000, 'x')));
  ASSERT_TRUE(large.await([&] { return large.settlements.size() == 2; }));
  EXPECT_EQ(large.settled(PublishEnd::Refused), 1U);
}

// --- strangers

amqp_table_entry_t entry(const char* key, std::uint8_t kind) {
  amqp_table_entry_t made{};
  made.key = amqp_cstring_bytes(key);
  made.value.kind = kind;
  return made;
}

TEST_F(AmqpSession, ForeignClientWithOddHeaders_IsReadNotFeared) {
  Peer leader = controller();
  ASSERT_TRUE(leader.await_connected());
  const amqp::BrokerUrl url = node().url("submitter");
  amqp_connection_state_t foreign = amqp_new_connection();
  ASSERT_EQ(amqp_socket_open(amqp_tcp_socket_new(foreign), url.host.c_str(), url.port), 0);
  ASSERT_EQ(amqp_login(foreign, url.vhost.c_str(), 0, 131072, 0, AMQP_SASL_METHOD_PLAIN,
                       url.user.c_str(), url.password.c_str())
                .reply_type,
            AMQP_RESPONSE_NORMAL);
  amqp_channel_open(foreign, 1);
  amqp_table_entry_t inner = entry("deep", AMQP_FIELD_KIND_VOID);
  amqp_table_entry_t odd[] = {
      entry("table", AMQP_FIELD_KIND_TABLE), entry("decimal", AMQP_FIELD_KIND_DECIMAL),
      entry("void", AMQP_FIELD_KIND_VOID), entry("deadline_ms", AMQP_FIELD_KIND_I16)};
  odd[0].value.value.table = {1, &inner};
  odd[1].value.value.decimal = {2, 314};
  odd[3].value.value.i16 = -7;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_EXPIRATION_FLAG;
  properties.headers = {4, odd};
  properties.expiration = amqp_cstring_bytes("60000");
  amqp_basic_publish(foreign, 1, amqp_cstring_bytes("juggler.submit"),
                     amqp_cstring_bytes("juggler.tasks"), 1, 0, &properties,
                     amqp_cstring_bytes("odd"));
  ASSERT_TRUE(leader.await_deliveries(1));
  const wire::Envelope& got = leader.deliveries[0].envelope;
  EXPECT_EQ(got.headers.at("table"), wire::HeaderValue{});
  EXPECT_EQ(got.headers.at("decimal"), wire::HeaderValue{});
  EXPECT_EQ(got.headers.at("void"), wire::HeaderValue{});
  EXPECT_EQ(got.headers.at("deadline_ms"), wire::HeaderValue{std::int64_t{-7}});
  EXPECT_EQ(got.expiration_ms, 60'000);
  EXPECT_FALSE(got.persistent);
  amqp_connection_close(foreign, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(foreign);
}

// --- trouble

// Sets the broker's memory alarm, and takes it back even where the test fails.
class MemoryAlarm {
 public:
  explicit MemoryAlarm(std::vector<Peer*> alive = {}) : alive_(std::move(alive)) {
    EXPECT_TRUE(limit("1MB"));
  }
  ~MemoryAlarm() { end(); }
  MemoryAlarm(const MemoryAlarm&) = delete;
  MemoryAlarm& operator=(const MemoryAlarm&) = delete;
  void end() {
    if (on_) {
      EXPECT_TRUE(limit("896MB"));
    }
    on_ = false;
  }

 private:
  bool limit(const char* bytes) {
    return node().control({"set_vm_memory_high_watermark", "absolute", bytes}, alive_);
  }
  std::vector<Peer*> alive_;
  bool on_ = true;
};

TEST_F(AmqpSession, MemoryAlarm_HoldsPublishesAndLetsThemGo) {
  Peer leader = controller();
  ASSERT_EQ(leader.publish(message_to("juggler.tasks", "task")), PublishEnd::Unknown);
  ASSERT_TRUE(leader.await_connected());
  ASSERT_EQ(leader.publish(message_to("juggler.tasks", "task")), PublishEnd::Confirmed);
  ASSERT_TRUE(leader.await_deliveries(1));  // its session is complete
  MemoryAlarm alarm({&leader});
  ASSERT_TRUE(leader.await([&] {
    leader.publish_later(message_to("juggler.unrouted", "x"));
    return !leader.blocked.empty();
  }));
  EXPECT_TRUE(leader.blocked[0].blocked);
  EXPECT_FALSE(leader.blocked[0].reason.empty());
  const std::size_t settled = leader.settlements.size();
  for (int i = 0; i < 100; ++i) {
    leader.publish_later(message_to("juggler.unrouted", std::string(100'000, 'x')));
  }
  for (int i = 0; i < 5; ++i) {
    leader.poll();  // returns: a stopped broker does not stop us
  }
  alarm.end();
  ASSERT_TRUE(leader.await([&] { return leader.blocked.size() == 2; }));
  EXPECT_FALSE(leader.blocked[1].blocked);
  ASSERT_TRUE(leader.await([&] { return leader.settlements.size() >= settled + 100; }));
  leader.settle();
  EXPECT_EQ(leader.settled(PublishEnd::Unknown), 1U);  // the one before it led
  EXPECT_EQ(leader.settled(PublishEnd::Refused), 0U);
  EXPECT_TRUE(leader.disconnected.empty());
}

TEST_F(AmqpSession, LeadDuringAMemoryAlarm_SaysWhatItWaitsFor) {
  MemoryAlarm alarm;
  Peer leader = controller();
  ASSERT_TRUE(leader.await([&] { return !leader.disconnected.empty(); }));
  EXPECT_NE(leader.disconnected[0].reason.find("takes no messages"), std::string::npos)
      << leader.disconnected[0].reason;
  alarm.end();
  ASSERT_TRUE(leader.await_connected());
  EXPECT_EQ(leader.publish(message_to("juggler.decided", "x")), PublishEnd::Confirmed);
}

TEST_F(AmqpSession, StalledBroker_NeverHangsPollAndIsNoticed) {
  SessionSpec spec = session({});
  spec.broker = node().url("controller");
  Peer peer(amqp::make_transport(spec));
  ASSERT_TRUE(peer.await_connected());
  const auto broker = static_cast<pid_t>(node().broker().pid());
  ASSERT_EQ(kill(broker, SIGSTOP), 0);
  for (int i = 0; i < 200; ++i) {
    peer.publish_later(message_to("juggler.unrouted", std::string(500'000, 'x')));
  }
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  auto longest = Clock::duration::zero();
  while (peer.disconnected.empty() && Clock::now() - began < std::chrono::seconds(18)) {
    const auto before = Clock::now();
    peer.poll();
    longest = std::max(longest, Clock::now() - before);
  }
  kill(broker, SIGCONT);
  EXPECT_FALSE(peer.disconnected.empty());
  EXPECT_LT(longest, std::chrono::seconds(2));
  EXPECT_EQ(peer.settled(PublishEnd::Unknown), 200U);
  EXPECT_TRUE(peer.await_connected(2));
}

TEST_F(AmqpSession, Wake_EndsAPoll) {
  Peer idle(node().connect(session({})));
  ASSERT_TRUE(idle.await_connected());
  idle->wake();
  std::vector<TransportEvent> events;
  const auto began = std::chrono::steady_clock::now();
  idle->poll(seconds(30), events);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

// --- TLS

TEST_F(AmqpSession, Tls_CarriesASession) {
  SessionSpec spec = amqp::controller_session(node().tls_url("controller"), "tls");
  Peer leader(amqp::make_transport(spec));
  ASSERT_TRUE(leader.await_connected());
  for (int i = 0; i < 20; ++i) {
    leader.publish_later(message_to("juggler.results", std::string(300'000, 'x')));
  }
  ASSERT_TRUE(leader.await_deliveries(20));
  EXPECT_EQ(leader.deliveries[19].envelope.body->size(), 300'000U);
  EXPECT_TRUE(leader.await([&] { return leader.settled(PublishEnd::Confirmed) == 20; }));
}

TEST_F(AmqpSession, Tls_RefusesAnUnknownCertificate) {
  SessionSpec spec = session({});
  spec.broker = node().tls_url("controller");
  spec.broker.cacertfile.clear();
  Peer careful(amqp::make_transport(spec));
  ASSERT_TRUE(careful.await([&] { return !careful.disconnected.empty(); }));
  EXPECT_NE(careful.disconnected[0].reason.find("certificate"), std::string::npos)
      << careful.disconnected[0].reason;
  spec.broker.cacertfile = node().tls_url("controller").cacertfile;
  spec.broker.server_name = "somebody.else";
  Peer misled(amqp::make_transport(spec));
  ASSERT_TRUE(misled.await([&] { return !misled.disconnected.empty(); }));
  spec.broker.verify_peer = false;
  Peer trusting(amqp::make_transport(spec));
  EXPECT_TRUE(trusting.await_connected());
}

}  // namespace
}  // namespace juggler::test
