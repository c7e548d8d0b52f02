// The parts of the AMQP layer that need no broker.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/ack_window.h"
#include "amqp/confirms.h"
#include "amqp/definitions.h"
#include "amqp/frames.h"
#include "amqp/node_files.h"
#include "amqp/node_limits.h"
#include "amqp/properties.h"
#include "amqp/session.h"
#include "amqp/stream.h"
#include "amqp/topology.h"
#include "core/controller.h"
#include "runtime/retry_ladder.h"

namespace juggler::amqp {
namespace {

// --- what a node may hold

TEST(NodeLimits, ServedPayloadsAndAllThatIsUnderWay_FitIntoItsMemory) {
  EXPECT_LT(node_memory_full(ControllerConfig{}.tasks_bytes_max.count), kNodeMemoryMin);
}

TEST(NodeLimits, ItsMemory_IsTwoFifthsOfWhatIsFreeWithinBounds) {
  EXPECT_EQ(node_memory(0), kNodeMemoryMin);
  EXPECT_EQ(node_memory(4'000 * kMegabyte), 1'600 * kMegabyte);
  EXPECT_EQ(node_memory(64'000 * kMegabyte), kNodeMemoryMax);
}

// --- addresses

TEST(FreePort, LiesBelowThoseOfOutgoingConnections) {
  for (int i = 0; i < 50; ++i) {
    const Result<int> port = free_port();
    ASSERT_TRUE(port.has_value()) << port.error().message;
    EXPECT_LT(*port, first_outgoing_port());
    EXPECT_TRUE(port_is_free(*port));
  }
}

TEST(Stream, SocketThatReachedItself_IsKnown) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(fd, generic, size), 0);
  ASSERT_EQ(getsockname(fd, generic, &size), 0);
  EXPECT_FALSE(connected_to_itself(fd));
  ASSERT_EQ(connect(fd, generic, size), 0) << "TCP allows it, and nobody listens";
  EXPECT_TRUE(connected_to_itself(fd));
  close(fd);
}

TEST(BrokerUrl, Whole_IsRead) {
  const auto url = BrokerUrl::parse("amqp://us%40er:p%3Aw@broker.lan:1234/my%2Fhost");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password, "p:w");
  EXPECT_EQ(url->host, "broker.lan");
  EXPECT_EQ(url->port, 1234);
  EXPECT_EQ(url->vhost, "my/host");
  EXPECT_FALSE(url->tls);
}

TEST(BrokerUrl, Short_TakesDefaults) {
  const auto url = BrokerUrl::parse("amqps://broker");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_TRUE(url->verify_peer);
  EXPECT_EQ(url->port, 5671);
  EXPECT_EQ(url->user, "guest");
  EXPECT_EQ(url->vhost, "/");
  EXPECT_EQ(BrokerUrl::parse("amqp://[::1]:99/x")->host, "::1");
  EXPECT_EQ(BrokerUrl::parse("amqp://[::1]:99/x")->port, 99);
}

TEST(BrokerUrl, TlsOptions_AreRead) {
  const auto url = BrokerUrl::parse(
      "amqps://u:p@h/v?cacertfile=%2Fca.pem&certfile=c.pem&keyfile=k.pem&verify=verify_none"
      "&server_name_indication=other");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->cacertfile, "/ca.pem");
  EXPECT_EQ(url->certfile, "c.pem");
  EXPECT_EQ(url->keyfile, "k.pem");
  EXPECT_EQ(url->server_name, "other");
  EXPECT_FALSE(url->verify_peer);
}

TEST(BrokerUrl, Broken_IsRefused) {
  for (const char* text : {"", "http://h", "amqp://", "amqp://@h", "amqp://h:0", "amqp://h:70000",
                           "amqp://h:5x", "amqp://h/%zz", "amqp://h/a/b", "amqp://[::1",
                           "amqp://h?cacertfile=x", "amqps://h?certfile=x", "amqps://h?nonsense=1",
                           "amqps://h?verify=maybe", "amqp://a%3A%5D/v", "amqp://[a:\n]/v"}) {
    EXPECT_FALSE(BrokerUrl::parse(text)) << text;
  }
}

TEST(BrokerUrl, PinThatWouldNotBeJudged_IsRefused) {
  const std::string pin = "fingerprint=sha256:" + std::string(64, 'a');
  const auto refusal = [](const std::string& text) {
    const auto url = BrokerUrl::parse(text);
    return url ? std::string() : url.error().message;
  };
  for (const std::string& options : {pin + "&verify=verify_none", "verify=verify_none&" + pin}) {
    EXPECT_NE(refusal("amqps://u:p@h/v?" + options).find("leave out one"), std::string::npos)
        << options;
  }
  EXPECT_EQ(refusal("amqps://u:p@h/v?" + pin + "&verify=verify_peer"), "");
  // A node takes over what it leaves out.
  EXPECT_NE(refusal("amqps://u:p@h/v?verify=verify_none,amqps://h2/v?" + pin), "");
}

TEST(BrokerUrl, Redacted_HidesThePassword) {
  const auto url = BrokerUrl::parse("amqp://me:secret@h:1/v");
  EXPECT_EQ(url->redacted(), "amqp://me@h:1/v");
}

// --- retry ladder

TEST(BrokerUrl, Password_IsSeenInMalformedAddressesToo) {
  for (const char* with :
       {"amqp://me:secret@h:1/v", "amqps://me:@h", "me:p/w@h", "amqp://a:b?c@h"}) {
    EXPECT_TRUE(amqp::holds_password(with)) << with;
  }
  for (const char* without : {"amqp://me@h:5672/v", "amqps://h:5671/v?cacertfile=/a:b", "h", ""}) {
    EXPECT_FALSE(amqp::holds_password(without)) << without;
  }
}

TEST(RetryLadder, Rungs_GrowToTheLimit) {
  const RetryLadder ladder(1, seconds(10));
  EXPECT_EQ(ladder.rung(1), milliseconds(200));
  EXPECT_EQ(ladder.rung(5), milliseconds(200));
  EXPECT_EQ(ladder.rung(6), seconds(1));
  EXPECT_EQ(ladder.rung(11), seconds(2));
  EXPECT_EQ(ladder.rung(1000), seconds(10));
}

TEST(RetryLadder, Delays_AreJitteredBelowTheirRung) {
  RetryLadder ladder(1, seconds(10));
  const Time now{5};
  std::int64_t longest = 0;
  for (int i = 1; i <= 200; ++i) {
    const Micros delay = ladder.failed(now) - now;
    EXPECT_GE(delay.count, 0);
    EXPECT_LE(delay, ladder.rung(i));
    longest = std::max(longest, delay.count);
  }
  EXPECT_GT(longest, seconds(5).count);
}

TEST(RetryLadder, OnlyAStableConnection_StartsItAnew) {
  RetryLadder ladder(1, seconds(10));
  for (int i = 0; i < 8; ++i) {
    (void)ladder.failed(Time{0});
  }
  ladder.succeeded(Time{0});
  (void)ladder.failed(Time{0} + seconds(1));
  EXPECT_EQ(ladder.failures(), 9);
  ladder.succeeded(Time{0});
  (void)ladder.failed(Time{0} + seconds(10));
  EXPECT_EQ(ladder.failures(), 1);
}

// --- acks

using Kind = Settlement::Kind;

std::vector<Settlement> taken(AckWindow& window) {
  std::vector<Settlement> out;
  window.take(out);
  return out;
}

AckWindow window_of(std::uint64_t count) {
  AckWindow window;
  for (std::uint64_t tag = 1; tag <= count; ++tag) {
    window.delivered(tag);
  }
  return window;
}

TEST(AckWindow, RunFromTheOldest_IsOneMultipleAck) {
  AckWindow window = window_of(4);
  for (const std::uint64_t tag : {3U, 1U, 2U}) {
    window.settle(tag, Kind::Ack);
  }
  EXPECT_EQ(taken(window), (std::vector<Settlement>{{Kind::Ack, 3, true}}));
  EXPECT_EQ(window.open(), 1U);
}

TEST(AckWindow, BehindAGap_AcksAreSingle) {
  AckWindow window = window_of(4);
  window.settle(2, Kind::Ack);
  window.settle(3, Kind::Ack);
  EXPECT_EQ(taken(window), (std::vector<Settlement>{{Kind::Ack, 2, false}, {Kind::Ack, 3, false}}));
}

TEST(AckWindow, Rejection_IsSentBeforeAMultipleThatWouldCoverIt) {
  AckWindow window = window_of(3);
  window.settle(1, Kind::Ack);
  window.settle(2, Kind::Reject);
  window.settle(3, Kind::Ack);
  EXPECT_EQ(taken(window),
            (std::vector<Settlement>{{Kind::Reject, 2, false}, {Kind::Ack, 3, true}}));
}

TEST(AckWindow, UnknownOrRepeatedTag_IsDropped) {
  AckWindow window = window_of(1);
  window.settle(7, Kind::Ack);
  window.settle(1, Kind::Ack);
  window.settle(1, Kind::Ack);
  EXPECT_EQ(taken(window).size(), 1U);
  window.settle(1, Kind::Requeue);
  EXPECT_TRUE(taken(window).empty());
}

// --- confirms

std::vector<std::pair<PublishId, PublishEnd>> ends(const std::vector<TransportEvent>& events) {
  std::vector<std::pair<PublishId, PublishEnd>> result;
  for (const TransportEvent& event : events) {
    const auto& settled = std::get<TransportSettled>(event);
    result.emplace_back(settled.id, settled.end);
  }
  return result;
}

wire::Envelope message(const std::string& id) {
  wire::Envelope envelope;
  envelope.message_id = id;
  return envelope;
}

using Ends = std::vector<std::pair<PublishId, PublishEnd>>;

TEST(ConfirmTable, Multiple_SettlesUpToItsTagOnce) {
  ConfirmTable table;
  for (PublishId id = 10; id < 14; ++id) {
    table.sent(id, message("m"), {});
  }
  std::vector<TransportEvent> events;
  table.confirm({2, false, true}, events);
  table.confirm({3, true, true}, events);
  table.confirm({3, true, true}, events);
  EXPECT_EQ(ends(events), (Ends{{11, PublishEnd::Confirmed},
                                {10, PublishEnd::Confirmed},
                                {12, PublishEnd::Confirmed}}));
  EXPECT_EQ(table.open(), 1U);
}

TEST(ConfirmTable, Oldest_IsTheFirstThatWaits) {
  ConfirmTable table;
  table.restart(1);
  EXPECT_EQ(table.oldest(), Time::never());
  std::vector<TransportEvent> events;
  for (const std::int64_t at : {10, 20, 30}) {
    table.sent(static_cast<PublishId>(at), {}, {at});
  }
  table.confirm({.tag = 2, .multiple = false, .accepted = true}, events);
  EXPECT_EQ(table.oldest(), Time{10}) << "the second is settled, not the first";
  table.confirm({.tag = 1, .multiple = false, .accepted = true}, events);
  EXPECT_EQ(table.oldest(), Time{30});
}

TEST(ConfirmTable, Return_MarksItsOwnMessage) {
  ConfirmTable table;
  table.sent(1, message("a"), {1});
  table.sent(2, message("b"), {2});
  table.sent(3, message("b"), {3});
  table.returned(message("b"));
  std::vector<TransportEvent> events;
  table.confirm({3, true, true}, events);
  EXPECT_EQ(
      ends(events),
      (Ends{{1, PublishEnd::Confirmed}, {2, PublishEnd::Returned}, {3, PublishEnd::Confirmed}}));
}

TEST(ConfirmTable, NackAndLoss_AreToldApart) {
  ConfirmTable table;
  table.restart(2);  // one was published before the session
  table.sent(1, message("a"), {1});
  table.sent(2, message("b"), {2});
  std::vector<TransportEvent> events;
  table.confirm({2, false, false}, events);
  table.confirm({99, true, true}, events);
  table.confirm({1, false, true}, events);
  table.lose(events);
  EXPECT_EQ(ends(events), (Ends{{1, PublishEnd::Refused}, {2, PublishEnd::Unknown}}));
  EXPECT_EQ(table.open(), 0U);
}

// --- properties and frames

std::string encoded(const wire::Envelope& envelope) {
  std::string buffer(200'000, '\0');
  const auto length = encode_properties(envelope, {buffer.data(), buffer.size()});
  EXPECT_TRUE(length);
  buffer.resize(length.value_or(0));
  return buffer;
}

std::string big_endian(std::size_t size) {
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<char>(size >> shift & 0xFFU));
  }
  return bytes;
}

// A property list with one header, given by its bytes: kind and value.
std::string with_header(const std::string& value) {
  const std::string entry = std::string("\x01h", 2) + value;
  return std::string("\x20\x00", 2) + big_endian(entry.size()) + entry;
}

TEST(Properties, OddHeaderTypes_AreMonostateOrTheirValue) {
  const struct {
    std::string bytes;
    wire::HeaderValue value;
  } cases[] = {
      {std::string("D\x02\x00\x00\x00\x05", 6), {}},                           // decimal
      {std::string("F\x00\x00\x00\x00", 5), {}},                               // table
      {std::string("A\x00\x00\x00\x02V\x56", 7), {}},                          // array
      {std::string("V", 1), {}},                                               // void
      {std::string("b\xFF", 2), std::int64_t{-1}},                             // int8
      {std::string("B\xFF", 2), std::int64_t{255}},                            // uint8
      {std::string("s\xFF\xFE", 3), std::int64_t{-2}},                         // int16
      {std::string("u\xFF\xFE", 3), std::int64_t{65534}},                      // uint16
      {std::string("I\xFF\xFF\xFF\xFD", 5), std::int64_t{-3}},                 // int32
      {std::string("i\x80\x00\x00\x00", 5), std::int64_t{2147483648}},         // uint32
      {std::string("L\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9), {}},               // beyond int64
      {std::string("f\x3F\x00\x00\x00", 5), 0.5},                              // float
      {std::string("x\x00\x00\x00\x02\x00z", 7), std::string("\0z", 2)},       // bytes
      {std::string("T\x00\x00\x00\x00\x00\x00\x00\x09", 9), std::int64_t{9}},  // timestamp
      {std::string("?", 1), {}},                                               // no such type
      {std::string("S\xFF\xFF\xFF\xFFz", 6), {}},                              // cut short
  };
  for (const auto& one : cases) {
    wire::Envelope envelope;
    const auto decoded = decode_properties(with_header(one.bytes), envelope);
    EXPECT_TRUE(decoded) << one.bytes;
    EXPECT_EQ(envelope.headers["h"], one.value) << one.bytes;
  }
}

TEST(Properties, DeeplyNestedHeader_IsSkipped) {
  std::string nested;
  for (int depth = 0; depth < 2'000; ++depth) {
    nested = "A" + big_endian(nested.size()) + nested;
  }
  wire::Envelope envelope;
  EXPECT_TRUE(decode_properties(with_header(nested), envelope));
  EXPECT_EQ(envelope.headers["h"], wire::HeaderValue{});
}

TEST(Properties, CutShort_IsCorruptNeverRead) {
  wire::Envelope envelope = message("id");
  envelope.headers = {{"a", std::string("text")}, {"b", 1.5}};
  envelope.correlation_id = "correlation";
  const std::string whole = encoded(envelope);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    wire::Envelope read;
    EXPECT_FALSE(decode_properties(std::string_view(whole).substr(0, length), read)) << length;
  }
}

TEST(Properties, FieldBeyondAmqp_IsRefused) {
  wire::Envelope envelope = message(std::string(256, 'x'));
  std::string buffer(200'000, '\0');
  EXPECT_FALSE(encode_properties(envelope, {buffer.data(), buffer.size()}));
  envelope = message("m");
  envelope.headers = {{"big", std::string(300'000, 'x')}};
  EXPECT_FALSE(encode_properties(envelope, {buffer.data(), buffer.size()}));
  envelope.headers = {{std::string(200, 'n'), true}};
  EXPECT_FALSE(encode_properties(envelope, {buffer.data(), buffer.size()}));
}

TEST(FrameReader, Junk_IsAnErrorNeverACrash) {
  const std::string junk[] = {
      std::string("AMQP\x00\x00\x09\x01", 8),
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      std::string("\x01\x00\x01\x00\x00\x00\x02\x00\x00\xCE", 10),          // half a method
      std::string("\x01\x00\x01\x00\x00\x00\x04\x99\x99\x99\x99\xCE", 12),  // no such method
      std::string("\x03\x00\x01\x00\x00\x00\x01x\xCE", 9),                  // a body from nowhere
      std::string("\x02\x00\x01\x00\x00\x00\x01x\xCE", 9),                  // a header from nowhere
      std::string("\x01\x00\x09\x00\x00\x00\x00\xCE", 8),                   // no such channel
      std::string("\x08\x00\x00\x00\x00\x00\x00\x00", 8),                   // no end mark
      std::string("\x07\x00\x00\x00\x00\x00\x00\xCE", 8),                   // no such kind
  };
  for (const std::string& bytes : junk) {
    FrameReader reader(1 << 20);
    const auto space = reader.space();
    bytes.copy(space.data(), space.size());
    reader.filled(bytes.size());
    std::vector<Incoming> out;
    EXPECT_FALSE(reader.decode(out)) << bytes;
    EXPECT_TRUE(out.empty());
  }
}

// --- the node's users

TEST(Definitions, PasswordHash_IsRabbitMqs) {
  // The example of RabbitMQ's documentation on passwords: test12, salt 908DC60A.
  EXPECT_EQ(password_hash("test12", std::string("\x90\x8D\xC6\x0A", 4)),
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
}

TEST(Definitions, RandomText_IsLongAndNew) {
  EXPECT_EQ(random_text(24).size(), 32U);
  EXPECT_NE(random_text(24), random_text(24));
}

}  // namespace
}  // namespace juggler::amqp
