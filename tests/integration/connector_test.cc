// A transport whose broker is hard to reach: it polls on time, hears at once what has come of the
// attempt, and can be left at any moment.

#include "amqp/connector.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/monotonic.h"
#include "runtime/transport.h"

namespace juggler::amqp {
namespace {

// Accepts, and says nothing.
class SilentBroker {
 public:
  SilentBroker() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
  }
  ~SilentBroker() { close(fd_); }
  SilentBroker(const SilentBroker&) = delete;
  SilentBroker& operator=(const SilentBroker&) = delete;

  BrokerUrl url() const {
    BrokerUrl url;
    url.host = "127.0.0.1";
    url.port = ntohs(address_.sin_port);
    return url;
  }
  // Whether somebody has come within 10 s.
  bool asked() const {
    pollfd entry{fd_, POLLIN, 0};
    return ::poll(&entry, 1, 10'000) == 1;
  }
  void hang_up() const { close(accept(fd_, nullptr, nullptr)); }

 private:
  int fd_;
  sockaddr_in address_{};
};

std::unique_ptr<Transport> transport_to(const SilentBroker& broker) {
  SessionSpec spec;
  spec.broker = broker.url();
  return make_transport(std::move(spec));
}

Micros since(Time begun) { return monotonic_now() - begun; }

TEST(Connector, BrokerThatSaysNothing_HoldsUpNoPoll) {
  const SilentBroker broker;
  const auto transport = transport_to(broker);
  std::vector<TransportEvent> events;
  transport->poll(Micros{}, events);
  ASSERT_TRUE(broker.asked());
  for (int i = 0; i < 20; ++i) {
    const Time begun = monotonic_now();
    transport->poll(milliseconds(10), events);
    EXPECT_GE(since(begun), milliseconds(9)) << "it spins";
    EXPECT_LT(since(begun), seconds(2));
  }
  transport->wake();
  const Time begun = monotonic_now();
  transport->poll(seconds(5), events);
  EXPECT_LT(since(begun), seconds(2)) << "wake() was not heard";
  EXPECT_TRUE(events.empty());
}

TEST(Connector, AttemptThatFails_EndsAPoll) {
  const SilentBroker broker;
  const auto transport = transport_to(broker);
  std::vector<TransportEvent> events;
  transport->poll(Micros{}, events);
  ASSERT_TRUE(broker.asked());
  broker.hang_up();
  const Time begun = monotonic_now();
  transport->poll(seconds(8), events);
  EXPECT_LT(since(begun), seconds(4));
  ASSERT_EQ(events.size(), 1U);
  const auto* lost = std::get_if<TransportDisconnected>(&events[0]);
  ASSERT_NE(lost, nullptr);
  EXPECT_NE(lost->reason.find("cannot log in to the broker"), std::string::npos) << lost->reason;
}

TEST(Connector, AttemptUnderWay_IsLeftSoon) {
  const SilentBroker broker;
  auto transport = transport_to(broker);
  std::vector<TransportEvent> events;
  transport->publish(1, {});
  transport->poll(Micros{}, events);
  ASSERT_TRUE(broker.asked());
  Time begun = monotonic_now();
  transport->close(seconds(2));
  EXPECT_LT(since(begun), seconds(2));
  begun = monotonic_now();
  transport->poll(milliseconds(20), events);
  transport.reset();
  EXPECT_LT(since(begun), seconds(1));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<TransportSettled>(events[0]));
  broker.hang_up();  // what was left behind ends now
}

}  // namespace
}  // namespace juggler::amqp
