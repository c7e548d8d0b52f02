// The private broker itself: found by others, guarded against a second one, and what survives it.

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "amqp/dead_letters.h"
#include "amqp/node_limits.h"
#include "amqp/node_programs.h"
#include "amqp/private_broker.h"
#include "support/broker_node.h"

namespace juggler::test {
namespace {

using amqp::PrivateBroker;

BrokerNode& node() { return BrokerNode::get(); }

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

TEST(PrivateBroker, RunningNode_IsFoundByItsFolder) {
  const auto found = PrivateBroker::find_running(node().dir() + "/node");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->url_for("controller"), node().broker().url_for_controller());
  EXPECT_EQ(found->url_for(kDevice), node().broker().url_for_device(kDevice));
  EXPECT_TRUE(found->url_for("nobody").empty());
  EXPECT_FALSE(PrivateBroker::find_running(node().dir() + "/elsewhere"));
}

TEST(PrivateBroker, Secrets_AreTheirOwnersAlone) {
  const std::string dir = node().dir() + "/node";
  EXPECT_EQ(mode_of(dir), 0700U);
  EXPECT_EQ(mode_of(dir + "/broker.json"), 0600U);
  EXPECT_EQ(mode_of(dir + "/etc/definitions.json"), 0600U);
  EXPECT_EQ(mode_of(dir + "/home/.erlang.cookie"), 0400U);
}

TEST(PrivateBroker, SecondOneInAFolder_IsRefused) {
  amqp::PrivateBrokerOptions options;
  options.dir = node().dir() + "/node";
  const auto second = PrivateBroker::start(options);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("already"), std::string::npos) << second.error().message;
  EXPECT_TRUE(node().broker().running());
}

TEST(PrivateBroker, ImpossibleDevice_IsRefusedBeforeAnythingStarts) {
  amqp::PrivateBrokerOptions options;
  options.dir = node().dir() + "/never";
  for (const char* device : {"Edge", "a.b", "controller"}) {
    options.devices = {device};
    EXPECT_FALSE(PrivateBroker::start(options)) << device;
  }
}

TEST(PrivateBroker, WithoutErlang_IsNotInstalled) {
  EXPECT_TRUE(amqp::broker_installed());
  const auto without = amqp::broker_installed("/usr/lib/rabbitmq/bin:/nowhere");
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message.find("erlang-base"), std::string::npos)
      << without.error().message;
}

TEST(PrivateBroker, BrokenConfiguration_FailsWithTheLogOfThisStartAlone) {
  amqp::PrivateBrokerOptions options;
  options.dir = node().dir() + "/broken";
  std::filesystem::create_directories(options.dir + "/log");
  std::ofstream(options.dir + "/log/juggler@localhost.log") << "said by an older run\n";
  options.extra_configuration = "no.such.setting = 1\n";
  const auto broken = PrivateBroker::start(options);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("startup.log"), std::string::npos);
  EXPECT_NE(broken.error().message.find("failed_to_prepare_configuration"), std::string::npos)
      << broken.error().message;
  EXPECT_EQ(broken.error().message.find("older run"), std::string::npos) << broken.error().message;
}

TEST(PrivateBroker, DeviceAddedLater_CanLogIn) {
  ASSERT_TRUE(node().broker().add_device("late-01"));
  amqp::SessionSpec spec = session({});
  spec.role = amqp::SessionRole::Device;
  spec.broker = *amqp::BrokerUrl::parse(node().broker().url_for_device("late-01"));
  Peer late(amqp::make_transport(spec));
  EXPECT_TRUE(late.await_connected());
  Peer old(
      amqp::make_transport(amqp::controller_session(node().url("controller"), "still welcome")));
  EXPECT_TRUE(old.await_connected());
}

// As many pictures as the controller serves at once are unacknowledged, and the queue is full.
TEST(PrivateBroker, FullOfPictures_RefusesMoreAndDoesNotAlarm) {
  // Where the node of the tests keeps its messages; it would find its disk full.
  std::error_code error;
  const auto space = std::filesystem::space("/dev/shm", error);
  if (!error && space.available < std::uintmax_t{1} << 30U) {
    GTEST_SKIP() << "needs a gigabyte in /dev/shm";
  }
  node().reset();
  constexpr std::size_t kBatch = 100;
  const wire::Body picture = wire::make_body(std::string(amqp::kPictureMax, 'p'));
  amqp::SessionSpec spec = amqp::controller_session(node().url("controller"), "c");
  constexpr std::size_t kServed = 268'000'000 / amqp::kPictureMax;
  spec.subscriptions.back().prefetch = static_cast<int>(kServed);
  Peer leader(amqp::make_transport(std::move(spec)));
  ASSERT_TRUE(leader.await_connected());
  Peer client(amqp::make_transport({session({}), node().url("controller")}));
  ASSERT_TRUE(client.await_connected());
  for (std::size_t sent = kBatch; client.settled(PublishEnd::Refused) == 0; sent += kBatch) {
    ASSERT_LE(sent, 2'000U) << "never refused";
    for (std::size_t i = 0; i < kBatch; ++i) {
      wire::Envelope message = message_to("juggler.tasks", "task");
      message.body = picture;
      client.publish_later(std::move(message));
    }
    ASSERT_TRUE(client.await([&] {
      leader.poll();
      return client.settlements.size() == sent &&
             leader.deliveries.size() >= std::min(sent, kServed);
    }));
  }
  EXPECT_TRUE(client.blocked.empty());
  EXPECT_TRUE(leader.blocked.empty());
  EXPECT_GE(client.settled(PublishEnd::Confirmed),
            kServed + amqp::kTasksReadyBytesMax / amqp::kPictureMax);
}

// Headers without a body: no limit of bytes counts them.
TEST(PrivateBroker, MessagesWithoutBodies_AreBoundedByTheirCount) {
  node().reset();
  Peer leader(amqp::make_transport(amqp::controller_session(node().url("controller"), "c")));
  ASSERT_TRUE(leader.await_connected());
  constexpr auto kMost = static_cast<std::size_t>(amqp::kDeadReadyMax);
  for (std::size_t sent = 0; sent < kMost + 100;) {
    for (int i = 0; i < 100; ++i, ++sent) {
      wire::Envelope message = message_to("juggler.dead", std::to_string(sent));
      message.body = wire::make_body("");
      message.headers["junk"] = std::string(1'000, 'j');
      leader.publish_later(std::move(message));
    }
    ASSERT_TRUE(leader.await([&] { return leader.settlements.size() == sent; }));
  }
  EXPECT_EQ(leader.settled(PublishEnd::Confirmed), kMost + 100) << "the oldest goes";
  EXPECT_EQ(node().ready("juggler.dead"), amqp::kDeadReadyMax);
}

// With headers of as many bytes as fit.
void publish_full_frame(Peer& peer, const std::string& queue) {
  PublishEnd end = PublishEnd::Refused;
  for (std::size_t size = amqp::kHeadersMax; end != PublishEnd::Confirmed; --size) {
    wire::Envelope message = message_to(queue, "task");
    message.headers["junk"] = std::string(size, 'j');
    end = peer.publish(std::move(message));
    ASSERT_GT(size, amqp::kHeadersMax - 1'000U);
  }
}

// What a sender may send, and the broker then adds to: x-death, and of a quorum queue how often it
// was delivered. It sends that without asking whether it fits the frame that was agreed.
TEST(PrivateBroker, HeadersThatFillAFrame_AreReadWithWhatTheBrokerAdds) {
  node().reset();
  const std::string queue = "juggler.test.work";
  Topology topology = fleet_topology();
  topology.queues.push_back(
      plain_queue(queue, {{"x-dead-letter-exchange", std::string()},
                          {"x-dead-letter-routing-key", std::string("juggler.dead")}}));
  node().declare(topology);
  Subscription work;
  work.queue = queue;
  Peer peer(amqp::make_transport({session({work}), node().url("controller")}));
  ASSERT_TRUE(peer.await_connected());
  publish_full_frame(peer, queue);
  ASSERT_TRUE(peer.await_deliveries(1));
  peer->reject(peer.deliveries[0].id, /*requeue=*/false);
  ASSERT_TRUE(peer.await([&] { return node().ready("juggler.dead") == 1; }));
  auto look = amqp::DeadLetters::open(node().url("controller"));
  ASSERT_TRUE(look.has_value()) << look.error().message;
  const auto letter = look->next(amqp::DeadQueue::Dead);
  ASSERT_TRUE(letter.has_value()) << letter.error().message;
  ASSERT_TRUE(letter->has_value());
  EXPECT_TRUE((*letter)->envelope.headers.contains("x-death"));
  node().reset();
}

TEST(PrivateBroker, HeadersThatFillAFrame_AreReadAgainFromAQuorumQueue) {
  node().reset();
  const std::string queue = "juggler.test.work";
  Topology topology;
  topology.queues = {plain_queue(queue, {{"x-queue-type", std::string("quorum")}})};
  node().declare(topology);
  Subscription work;
  work.queue = queue;
  Peer peer(amqp::make_transport({session({work}), node().url("controller")}));
  ASSERT_TRUE(peer.await_connected());
  publish_full_frame(peer, queue);
  ASSERT_TRUE(peer.await_deliveries(1));
  peer->reject(peer.deliveries[0].id, /*requeue=*/true);
  ASSERT_TRUE(peer.await_deliveries(2));
  EXPECT_TRUE(peer.deliveries[1].envelope.headers.contains("x-delivery-count"));
  EXPECT_TRUE(peer.disconnected.empty());
  node().reset();
}

// The last file of messages, as a node leaves it that is killed while it compacts it: the first
// record stays, zeros follow, the others are in another file.
void leave_half_compacted(const std::string& folder) {
  std::filesystem::path store;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().parent_path().filename() == "msg_store_persistent" &&
        entry.path().extension() == ".rdq" && entry.file_size() > 0 &&
        (store.empty() ||
         std::stoi(store.stem().string()) < std::stoi(entry.path().stem().string()))) {
      store = entry.path();
    }
  }
  ASSERT_FALSE(store.empty());
  std::string text;
  {
    std::ifstream in(store, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::size_t record = 0;  // 8 octets say how long it is, one behind it that it is whole
  for (std::size_t i = 0; i < 8; ++i) {
    record = record << 8U | static_cast<unsigned char>(text.at(i));
  }
  record += 9;
  ASSERT_LT(record, text.size());
  std::ofstream(store.replace_extension(".rdt"), std::ios::binary) << text.substr(record);
  std::ofstream(store.replace_extension(".rdq"), std::ios::binary)
      << text.substr(0, record) << std::string(text.size() - record, '\0');
}

TEST(PrivateBroker, KilledInACompaction_KeepsConfirmedTasks) {
  node().reset();
  constexpr std::size_t kTasks = 20;
  Peer leader(amqp::make_transport(amqp::controller_session(node().url("controller"), "c")));
  ASSERT_TRUE(leader.await_connected());
  for (std::size_t i = 0; i < kTasks; ++i) {
    wire::Envelope message = message_to("juggler.tasks", std::to_string(i));
    message.body = wire::make_body(std::string(100'000, 'p'));
    leader.publish_later(std::move(message));
  }
  ASSERT_TRUE(leader.await([&] { return leader.settlements.size() == kTasks; }));
  ASSERT_EQ(leader.settled(PublishEnd::Confirmed), kTasks);

  ASSERT_EQ(kill(static_cast<pid_t>(node().broker().pid()), SIGKILL), 0);
  ASSERT_TRUE(leader.await([&] { return !leader.disconnected.empty(); }));
  ASSERT_NO_FATAL_FAILURE(leave_half_compacted(node().mnesia_dir()));
  const std::size_t before = leader.deliveries.size();
  node().restart();
  ASSERT_TRUE(leader.await_connected(2));
  EXPECT_TRUE(leader.await_deliveries(before + kTasks)) << leader.deliveries.size() - before;
}

TEST(PrivateBroker, KilledNode_KeepsConfirmedTasksAndItsAddress) {
  node().reset();
  const std::string address = node().broker().url_for_controller();
  Peer leader(amqp::make_transport(amqp::controller_session(node().url("controller"), "c")));
  ASSERT_TRUE(leader.await_connected());
  for (int i = 0; i < 100; ++i) {
    leader.publish_later(message_to("juggler.tasks", std::to_string(i)));
  }
  ASSERT_TRUE(leader.await([&] { return leader.settlements.size() == 100; }));

  ASSERT_EQ(kill(static_cast<pid_t>(node().broker().pid()), SIGKILL), 0);
  ASSERT_TRUE(leader.await([&] { return !leader.disconnected.empty(); }));
  node().restart();
  EXPECT_EQ(node().broker().url_for_controller(), address);
  const std::int64_t first_epoch = leader.connected[0].epoch;
  ASSERT_TRUE(leader.await_connected(2));
  EXPECT_GT(leader.connected[1].epoch, first_epoch);
  const std::size_t before = leader.deliveries.size();
  ASSERT_TRUE(leader.await_deliveries(before + 100));
  EXPECT_EQ(leader.settled(PublishEnd::Confirmed), 100U);
}

}  // namespace
}  // namespace juggler::test
