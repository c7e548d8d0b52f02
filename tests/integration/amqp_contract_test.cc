// The behaviour of a broker that Juggler relies on, one test for each point.

#include <algorithm>
#include <set>

#include "runtime/topology.h"
#include "support/broker_contract.h"

namespace juggler::test {
namespace {

const std::string kQueue = "juggler.test.work";
const std::string kOther = "juggler.test.other";

TEST_P(BrokerContract, Prefetch_BoundsWhatIsUnacknowledged) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 2}});
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(consumer.publish(message_to(kQueue, std::to_string(i))), PublishEnd::Confirmed);
  }
  ASSERT_TRUE(consumer.await_deliveries(2));
  consumer.settle();
  EXPECT_EQ(consumer.deliveries.size(), 2U);

  consumer->ack(consumer.deliveries[0].id);
  ASSERT_TRUE(consumer.await_deliveries(3));
  consumer.settle();
  EXPECT_EQ(consumer.bodies(), (std::vector<std::string>{"0", "1", "2"}));
}

TEST_P(BrokerContract, CutConnection_DeliversUnackedAgainWithTheFlag) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 10}});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(consumer.publish(message_to(kQueue, std::to_string(i))), PublishEnd::Confirmed);
  }
  ASSERT_TRUE(consumer.await_deliveries(3));
  consumer->ack(consumer.deliveries[0].id);
  consumer.settle();

  broker().cut_all();
  ASSERT_TRUE(consumer.await_connected(2));
  ASSERT_TRUE(consumer.await_deliveries(5));
  consumer.settle();
  ASSERT_EQ(consumer.deliveries.size(), 5U);
  EXPECT_EQ(consumer.bodies(), (std::vector<std::string>{"0", "1", "2", "1", "2"}));
  EXPECT_FALSE(consumer.deliveries[2].redelivered);
  EXPECT_TRUE(consumer.deliveries[3].redelivered);
  EXPECT_TRUE(consumer.deliveries[4].redelivered);
  EXPECT_NE(consumer.deliveries[4].id.incarnation, consumer.deliveries[2].id.incarnation);
}

TEST_P(BrokerContract, AckOfAnOlderConnection_SettlesNothing) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 1}});
  ASSERT_EQ(consumer.publish(message_to(kQueue, "a")), PublishEnd::Confirmed);
  ASSERT_TRUE(consumer.await_deliveries(1));
  broker().cut_all();
  ASSERT_TRUE(consumer.await_deliveries(2));

  consumer->ack(consumer.deliveries[0].id);  // the same tag, another connection
  consumer.settle();
  broker().cut_all();
  EXPECT_TRUE(consumer.await_deliveries(3));
}

TEST_P(BrokerContract, AckTwice_IsOneAck) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 2}});
  ASSERT_EQ(consumer.publish(message_to(kQueue, "a")), PublishEnd::Confirmed);
  ASSERT_TRUE(consumer.await_deliveries(1));
  consumer->ack(consumer.deliveries[0].id);
  consumer->ack(consumer.deliveries[0].id);
  consumer.settle();
  consumer->ack(consumer.deliveries[0].id);
  consumer->reject(consumer.deliveries[0].id, true);
  consumer.settle();
  EXPECT_TRUE(consumer.disconnected.empty());
}

TEST_P(BrokerContract, AcksOutOfOrder_SettleOnlyTheirOwn) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 0}});
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(consumer.publish(message_to(kQueue, std::to_string(i))), PublishEnd::Confirmed);
  }
  ASSERT_TRUE(consumer.await_deliveries(6));
  for (const std::size_t i : {5U, 0U, 1U, 3U}) {
    consumer->ack(consumer.deliveries[i].id);
  }
  consumer.settle();
  broker().cut_all();
  ASSERT_TRUE(consumer.await_deliveries(8));
  consumer.settle();
  ASSERT_EQ(consumer.deliveries.size(), 8U);
  EXPECT_EQ(*consumer.deliveries[6].envelope.body, "2");
  EXPECT_EQ(*consumer.deliveries[7].envelope.body, "4");
}

TEST_P(BrokerContract, ManyPublishes_EachSettledOnce) {
  declare_queue(kQueue);
  Peer publisher = peer();
  constexpr std::size_t kCount = 2'000;
  for (std::size_t i = 0; i < kCount; ++i) {
    publisher.publish_later(message_to(kQueue, std::to_string(i)));
  }
  ASSERT_TRUE(publisher.await([&] { return publisher.settlements.size() >= kCount; }));
  publisher.settle();
  EXPECT_EQ(publisher.settled(PublishEnd::Confirmed), kCount);
  std::set<PublishId> ids;
  for (const TransportSettled& settled : publisher.settlements) {
    EXPECT_TRUE(ids.insert(settled.id).second) << settled.id << " was settled twice";
  }
}

TEST_P(BrokerContract, MandatoryWithoutQueue_IsReturnedNotConfirmed) {
  declare_queue(kQueue);
  Peer publisher = peer();
  const PublishId first = publisher.publish_later(message_to(kQueue, "x"));
  const PublishId lost = publisher.publish_later(message_to("juggler.test.nowhere", "x"));
  const PublishId last = publisher.publish_later(message_to(kQueue, "x"));
  ASSERT_TRUE(publisher.await([&] { return publisher.settlements.size() >= 3; }));
  for (const TransportSettled& settled : publisher.settlements) {
    EXPECT_EQ(settled.end, settled.id == lost ? PublishEnd::Returned : PublishEnd::Confirmed)
        << settled.id << " of " << first << ", " << lost << ", " << last;
  }
}

TEST_P(BrokerContract, NotMandatoryWithoutQueue_IsConfirmed) {
  Peer publisher = peer();
  wire::Envelope message = message_to("juggler.test.nowhere", "x");
  message.mandatory = false;
  EXPECT_EQ(publisher.publish(message), PublishEnd::Confirmed);
}

TEST_P(BrokerContract, FullQueue_RefusesAPublish) {
  declare_queue(kQueue,
                {{"x-max-length", std::int64_t{2}}, {"x-overflow", std::string("reject-publish")}});
  Peer publisher = peer();
  EXPECT_EQ(publisher.publish(message_to(kQueue, "0")), PublishEnd::Confirmed);
  EXPECT_EQ(publisher.publish(message_to(kQueue, "1")), PublishEnd::Confirmed);
  EXPECT_EQ(publisher.publish(message_to(kQueue, "2")), PublishEnd::Refused);
}

TEST_P(BrokerContract, Reject_DeadLetters) {
  declare_queue(kOther);
  declare_queue(kQueue,
                {{"x-dead-letter-exchange", std::string()}, {"x-dead-letter-routing-key", kOther}});
  Peer consumer = peer({{.queue = kQueue, .prefetch = 5}, {.queue = kOther, .prefetch = 5}});
  ASSERT_EQ(consumer.publish(message_to(kQueue, "bad")), PublishEnd::Confirmed);
  ASSERT_TRUE(consumer.await_deliveries(1));
  consumer->reject(consumer.deliveries[0].id, /*requeue=*/false);
  ASSERT_TRUE(consumer.await_deliveries(2));
  EXPECT_EQ(consumer.deliveries[1].queue, kOther);
  EXPECT_EQ(*consumer.deliveries[1].envelope.body, "bad");
}

TEST_P(BrokerContract, RejectWithRequeue_ComesAgain) {
  declare_queue(kQueue);
  Peer consumer = peer({{.queue = kQueue, .prefetch = 5}});
  ASSERT_EQ(consumer.publish(message_to(kQueue, "again")), PublishEnd::Confirmed);
  ASSERT_TRUE(consumer.await_deliveries(1));
  consumer->reject(consumer.deliveries[0].id, /*requeue=*/true);
  ASSERT_TRUE(consumer.await_deliveries(2));
  EXPECT_TRUE(consumer.deliveries[1].redelivered);
}

TEST_P(BrokerContract, ExpiredMessage_IsNeverDeliveredButDeadLettered) {
  declare_queue(kOther);
  declare_queue(kQueue,
                {{"x-dead-letter-exchange", std::string()}, {"x-dead-letter-routing-key", kOther}});
  Peer publisher = peer({{.queue = kOther, .prefetch = 5}});
  wire::Envelope message = message_to(kQueue, "late");
  message.expiration_ms = 1;
  ASSERT_EQ(publisher.publish(message), PublishEnd::Confirmed);
  ASSERT_TRUE(publisher.await_deliveries(1));
  Peer consumer = peer({{.queue = kQueue, .prefetch = 5}});
  consumer.settle();
  EXPECT_TRUE(consumer.deliveries.empty());
}

TEST_P(BrokerContract, LossBetweenPublishAndConfirm_SettlesEachOnce) {
  declare_queue(kQueue);
  Peer publisher = peer();
  ASSERT_TRUE(publisher.await_connected());
  constexpr std::size_t kCount = 500;
  for (std::size_t i = 0; i < kCount; ++i) {
    publisher.publish_later(message_to(kQueue, std::to_string(i)));
  }
  publisher.poll();
  broker().cut_all();
  ASSERT_TRUE(publisher.await_connected(2));
  EXPECT_EQ(publisher.settlements.size(), kCount);
  EXPECT_EQ(publisher.settled(PublishEnd::Confirmed) + publisher.settled(PublishEnd::Unknown),
            kCount);
  EXPECT_EQ(publisher.publish(message_to(kQueue, "after")), PublishEnd::Confirmed);
}

TEST_P(BrokerContract, LossBetweenConfirmAndAck_DeliversAgain) {
  declare_queue(kQueue);
  declare_queue(kOther);
  Peer device = peer({{.queue = kQueue, .prefetch = 1}});
  ASSERT_EQ(device.publish(message_to(kQueue, "task")), PublishEnd::Confirmed);
  ASSERT_TRUE(device.await_deliveries(1));
  ASSERT_EQ(device.publish(message_to(kOther, "result")), PublishEnd::Confirmed);
  broker().cut_all();
  device->ack(device.deliveries[0].id);
  ASSERT_TRUE(device.await_deliveries(2));
  EXPECT_TRUE(device.deliveries[1].redelivered);
}

TEST_P(BrokerContract, PublishedBeforeTheConnection_IsSentWithIt) {
  declare_queue(kQueue);
  Peer publisher = peer();
  publisher.publish_later(message_to(kQueue, "early"));
  ASSERT_TRUE(publisher.await([&] { return !publisher.settlements.empty(); }));
  EXPECT_EQ(publisher.settlements[0].end, PublishEnd::Confirmed);
}

TEST_P(BrokerContract, ReplyQueue_VanishesWithItsOwner) {
  SessionPlan spec = session({});
  spec.reply_queue = true;
  Peer client(broker().connect(spec));
  ASSERT_TRUE(client.await_connected());
  const std::string queue = client.connected[0].reply_queue;
  ASSERT_FALSE(queue.empty());
  Peer answerer = peer();
  EXPECT_EQ(answerer.publish(message_to(queue, "answer")), PublishEnd::Confirmed);
  ASSERT_TRUE(client.await_deliveries(1));
  EXPECT_EQ(client.deliveries[0].queue, queue);

  client->close(seconds(2));
  EXPECT_EQ(answerer.publish(message_to(queue, "too late")), PublishEnd::Returned);
}

TEST_P(BrokerContract, HigherPriority_TakesTheQueue) {
  declare_queue(kQueue);
  Peer older = peer({{.queue = kQueue, .prefetch = 5, .priority = 1}});
  Peer newer = peer({{.queue = kQueue, .prefetch = 5, .priority = 2}});
  ASSERT_TRUE(older.await_connected());
  older.settle();
  ASSERT_TRUE(newer.await_connected());
  newer.settle();
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(newer.publish(message_to(kQueue, std::to_string(i))), PublishEnd::Confirmed);
  }
  ASSERT_TRUE(newer.await_deliveries(4));
  older.settle();
  EXPECT_TRUE(older.deliveries.empty());
}

TEST_P(BrokerContract, Presence_IsWhetherTheDevicesQueueHasAConsumer) {
  broker().declare(device_topology("edge01"));
  Peer asker = peer();
  ASSERT_TRUE(asker.await_connected());
  const auto present = [&](const std::string& device) {
    asker.presences.clear();
    asker->ask_presence(device);
    EXPECT_TRUE(asker.await([&] { return !asker.presences.empty(); })) << device;
    return !asker.presences.empty() && asker.presences[0].present;
  };
  EXPECT_FALSE(present("edge01")) << "nobody consumes it yet";
  EXPECT_FALSE(present("nobody")) << "it has no queue";
  Peer edge = peer({{.queue = device_queue("edge01"), .prefetch = 5}});
  ASSERT_TRUE(edge.await_connected());
  edge.settle();
  EXPECT_TRUE(present("edge01"));
  broker().cut_all();  // as when its process dies
  edge->close(seconds(2));
  ASSERT_TRUE(asker.await_connected(2));
  EXPECT_FALSE(present("edge01"));
}

// What no controller hears is neither kept nor unrouted.
TEST_P(BrokerContract, ExchangeWithoutQueue_TakesWhatIsBoundToIt) {
  const std::string up = "juggler.test.up";
  const std::string heard = "juggler.test.heard";
  const std::string unrouted = "juggler.test.unrouted";
  Topology topology;
  topology.exchanges = {{unrouted, "fanout", {}},
                        {heard, "fanout", {}},
                        {up, "topic", {{"alternate-exchange", unrouted}}}};
  topology.queues = {plain_queue(kQueue), plain_queue(kOther)};
  topology.bindings = {{unrouted, kOther, ""}};
  topology.exchange_bindings = {{up, heard, "heartbeat.*"}};
  broker().declare(topology);
  const auto send = [&](Peer& peer, const std::string& key) {
    wire::Envelope message = message_to(key, key);
    message.exchange = up;
    return peer.publish(std::move(message));
  };
  Peer listener = peer({{.queue = kOther, .prefetch = 0}, {.queue = kQueue, .prefetch = 0}});
  ASSERT_TRUE(listener.await_connected());
  EXPECT_EQ(send(listener, "heartbeat.a"), PublishEnd::Returned);
  EXPECT_EQ(send(listener, "junk.a"), PublishEnd::Confirmed);
  ASSERT_TRUE(listener.await_deliveries(1));
  EXPECT_EQ(listener.deliveries[0].queue, kOther);
  EXPECT_EQ(*listener.deliveries[0].envelope.body, "junk.a");

  topology.bindings.push_back({heard, kQueue, ""});
  broker().declare(topology);
  EXPECT_EQ(send(listener, "heartbeat.b"), PublishEnd::Confirmed);
  ASSERT_TRUE(listener.await_deliveries(2));
  listener.settle();
  ASSERT_EQ(listener.deliveries.size(), 2U);
  EXPECT_EQ(listener.deliveries[1].queue, kQueue);

  listener->close(seconds(2));
  topology.queues = {plain_queue(kOther)};
  topology.bindings = {};
  topology.retired_queues = {kQueue};
  broker().declare(topology);
  Peer publisher = peer();
  EXPECT_EQ(send(publisher, "heartbeat.c"), PublishEnd::Returned);
}

TEST_P(BrokerContract, DrainFirst_ReadsOneQueueBeforeTheNext) {
  declare_queue(kQueue);
  declare_queue(kOther);
  Peer publisher = peer();
  for (int i = 0; i < 50; ++i) {
    publisher.publish_later(message_to(kOther, "later"));
    publisher.publish_later(message_to(kQueue, "first"));
  }
  ASSERT_TRUE(publisher.await([&] { return publisher.settlements.size() == 100; }));
  Peer consumer = peer(
      {{.queue = kQueue, .prefetch = 0, .drain_first = true}, {.queue = kOther, .prefetch = 0}});
  ASSERT_TRUE(consumer.await_deliveries(100));
  const auto first_later =
      std::find_if(consumer.deliveries.begin(), consumer.deliveries.end(),
                   [](const TransportDelivery& delivery) { return delivery.queue == kOther; });
  EXPECT_EQ(first_later - consumer.deliveries.begin(), 50);
}

TEST_P(BrokerContract, Browse_ReadsAndPutsBack) {
  declare_queue(kQueue);
  declare_queue(kOther);
  Peer publisher = peer();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(publisher.publish(message_to(kQueue, std::to_string(i))), PublishEnd::Confirmed);
  }
  ASSERT_EQ(publisher.publish(message_to(kOther, "task")), PublishEnd::Confirmed);
  for (int round = 0; round < 2; ++round) {
    Peer reader =
        peer({{.queue = kQueue, .prefetch = 0, .browse = true}, {.queue = kOther, .prefetch = 1}});
    ASSERT_TRUE(reader.await_deliveries(21));
    EXPECT_EQ(reader.deliveries[0].id.tag, 0U);
    EXPECT_EQ(*reader.deliveries[19].envelope.body, "19");
    EXPECT_EQ(reader.deliveries[20].queue, kOther);
    reader->ack(reader.deliveries[0].id);
    reader->close(seconds(2));
  }
}

TEST_P(BrokerContract, ExclusiveSubscription_HasOneHolderAndATakeOver) {
  declare_queue(kQueue);
  const std::vector<Subscription> lock = {{.queue = kQueue, .prefetch = 0, .exclusive = true}};
  Peer leader = peer(lock);
  ASSERT_TRUE(leader.await_connected());
  Peer standby = peer(lock);
  for (int i = 0; i < 3; ++i) {
    standby.poll();
    leader.settle();
  }
  EXPECT_TRUE(standby.connected.empty());
  ASSERT_EQ(leader.publish(message_to(kQueue, "unacked")), PublishEnd::Confirmed);
  ASSERT_TRUE(leader.await_deliveries(1));

  leader->close(seconds(2));
  ASSERT_TRUE(standby.await_connected());
  ASSERT_TRUE(standby.await_deliveries(1));
  EXPECT_TRUE(standby.deliveries[0].redelivered);
}

TEST_P(BrokerContract, Envelope_ArrivesAsItWasSent) {
  declare_queue(kQueue);
  Peer both = peer({{.queue = kQueue, .prefetch = 1}});
  wire::Envelope sent = message_to(kQueue, std::string(300'000, 'p'));
  sent.content_type = "image/jpeg";
  sent.type = "juggler.task.v1";
  sent.correlation_id = "c";
  sent.reply_to = "r";
  sent.app_id = "a";
  sent.priority = 7;
  sent.timestamp_s = 1'700'000'000;
  sent.expiration_ms = 60'000;
  sent.headers = {{"flag", true},
                  {"number", std::int64_t{-5}},
                  {"real", 0.25},
                  {"text", std::string("with \0 inside", 13)}};
  ASSERT_EQ(both.publish(sent), PublishEnd::Confirmed);
  ASSERT_TRUE(both.await_deliveries(1));
  const wire::Envelope& got = both.deliveries[0].envelope;
  EXPECT_EQ(*got.body, *sent.body);
  EXPECT_EQ(got.headers, sent.headers);
  EXPECT_EQ(got.content_type, sent.content_type);
  EXPECT_EQ(got.type, sent.type);
  EXPECT_EQ(got.message_id, sent.message_id);
  EXPECT_EQ(got.correlation_id, sent.correlation_id);
  EXPECT_EQ(got.reply_to, sent.reply_to);
  EXPECT_EQ(got.app_id, sent.app_id);
  EXPECT_EQ(got.priority, sent.priority);
  EXPECT_EQ(got.timestamp_s, sent.timestamp_s);
  EXPECT_EQ(got.expiration_ms, sent.expiration_ms);
  EXPECT_EQ(got.routing_key, kQueue);
  EXPECT_TRUE(got.persistent);
}

TEST_P(BrokerContract, EmptyBody_Arrives) {
  declare_queue(kQueue);
  Peer both = peer({{.queue = kQueue, .prefetch = 1}});
  ASSERT_EQ(both.publish(message_to(kQueue, "")), PublishEnd::Confirmed);
  ASSERT_TRUE(both.await_deliveries(1));
  ASSERT_NE(both.deliveries[0].envelope.body, nullptr);
  EXPECT_TRUE(both.deliveries[0].envelope.body->empty());
}

}  // namespace
}  // namespace juggler::test
