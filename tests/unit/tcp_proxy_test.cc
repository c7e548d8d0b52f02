// The proxy between real sockets on the loopback.

#include "faults/tcp_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>

namespace juggler {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr int kSoonMs = 2000;    // what must come comes sooner, also on a busy machine
constexpr int kSilenceMs = 150;  // what must not come has had its chance

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool readable(int fd, int wait_ms) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, wait_ms) > 0;
}

// What arrives next: bytes, "END", "RESET", or "" if nothing does.
std::string next_of(int fd, int wait_ms = kSoonMs) {
  if (!readable(fd, wait_ms)) {
    return "";
  }
  std::string bytes(4096, '\0');
  const ssize_t count = recv(fd, bytes.data(), bytes.size(), 0);
  if (count < 0) {
    return errno == ECONNRESET ? "RESET" : "ERROR";
  }
  bytes.resize(static_cast<std::size_t>(count));
  return count == 0 ? "END" : bytes;
}

void say(int fd, const std::string& text) {
  ASSERT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// A listening server, a proxy before it, and one connection through it.
class TcpProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in here = loopback(0);
    socklen_t size = sizeof here;
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&here), size), 0);
    ASSERT_EQ(listen(listener_, 8), 0);
    ASSERT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size), 0);
    auto opened = TcpProxy::open({.target_port = ntohs(here.sin_port)});
    ASSERT_TRUE(opened) << opened.error().message;
    proxy_ = std::move(*opened);
    client_ = connect_to_proxy();
    ASSERT_TRUE(readable(listener_, kSoonMs));
    server_ = accept(listener_, nullptr, nullptr);
    ASSERT_GE(server_, 0);
  }
  void TearDown() override {
    for (const int fd : {client_, server_, listener_}) {
      close(fd);
    }
  }

  int connect_to_proxy() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in there = loopback(proxy_->port());
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
    return fd;
  }

  int listener_ = -1;
  std::unique_ptr<TcpProxy> proxy_;
  int client_ = -1;
  int server_ = -1;
};

TEST_F(TcpProxyTest, BothWaysPassAndTheEndToo) {
  say(client_, "up");
  EXPECT_EQ(next_of(server_), "up");
  say(server_, "down");
  EXPECT_EQ(next_of(client_), "down");
  shutdown(client_, SHUT_WR);
  EXPECT_EQ(next_of(server_), "END");
  say(server_, "last");
  shutdown(server_, SHUT_WR);
  EXPECT_EQ(next_of(client_), "last");
  EXPECT_EQ(next_of(client_), "END");
}

TEST_F(TcpProxyTest, ManyBytes_ArriveWholeAndInOrder) {
  constexpr std::size_t kBytes = 20U << 20U;  // more than its buffers hold
  std::jthread writer([this] {
    std::string all(kBytes, '\0');
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<char>(i * 31 % 251);
    }
    for (std::size_t sent = 0; sent < all.size();) {
      const ssize_t count = send(client_, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      sent += static_cast<std::size_t>(count);
    }
  });
  std::size_t received = 0;
  while (received < kBytes) {
    const std::string bytes = next_of(server_);
    ASSERT_FALSE(bytes.empty()) << "after " << received;
    for (const char byte : bytes) {
      ASSERT_EQ(byte, static_cast<char>(received * 31 % 251)) << "at " << received;
      ++received;
    }
  }
}

TEST_F(TcpProxyTest, Latency_IsThere) {
  proxy_->set(Direction::Up, {.latency = milliseconds(200), .jitter = {}});
  usleep(50'000);
  const auto begun = steady_clock::now();
  say(client_, "up");
  EXPECT_EQ(next_of(server_), "up");
  EXPECT_GE(duration<double>(steady_clock::now() - begun).count(), 0.19);
}

TEST_F(TcpProxyTest, HeldOneWay_TheOtherPasses) {
  proxy_->hold(Direction::Up);
  usleep(50'000);
  say(client_, "up");
  EXPECT_EQ(next_of(server_, kSilenceMs), "");
  say(server_, "down");
  EXPECT_EQ(next_of(client_), "down");
  proxy_->release();
  EXPECT_EQ(next_of(server_), "up");
}

TEST_F(TcpProxyTest, Cut_ResetsBothAndRefusesUntilHealed) {
  proxy_->cut();
  EXPECT_EQ(next_of(client_), "RESET");
  EXPECT_EQ(next_of(server_), "RESET");
  const int refused = connect_to_proxy();
  EXPECT_EQ(next_of(refused), "RESET");
  close(refused);
  proxy_->heal();
  usleep(50'000);
  const int again = connect_to_proxy();
  say(again, "x");
  ASSERT_TRUE(readable(listener_, kSoonMs));
  const int other = accept(listener_, nullptr, nullptr);
  EXPECT_EQ(next_of(other), "x");
  close(again);
  close(other);
}

TEST_F(TcpProxyTest, HalfOpen_OnlyOneSideKnows) {
  proxy_->half_open(Side::Client);
  EXPECT_EQ(next_of(client_), "RESET");
  say(server_, "are you there?");
  EXPECT_EQ(next_of(server_, kSilenceMs), "") << "nothing is said to it";
  const int again = connect_to_proxy();
  ASSERT_TRUE(readable(listener_, kSoonMs));
  const int other = accept(listener_, nullptr, nullptr);
  say(again, "new");
  EXPECT_EQ(next_of(other), "new");
  proxy_->heal();
  EXPECT_EQ(next_of(server_), "RESET");
  say(other, "still");
  EXPECT_EQ(next_of(again), "still");
  close(again);
  close(other);
}

TEST_F(TcpProxyTest, ServerThatIsNotThere_ResetsTheClient) {
  close(listener_);
  listener_ = -1;
  const int client = connect_to_proxy();
  EXPECT_EQ(next_of(client), "RESET");
  close(client);
}

}  // namespace
}  // namespace juggler
