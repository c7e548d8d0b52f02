#pragma once
// A bad network on this machine: a TCP proxy that delays, slows, stalls and cuts what passes it.
// For the tests with real processes and a real broker, which no simulated network reaches, where
// the kernel's own (tc netem) needs rights that a user does not have.
//
// What it cannot do: it ends TCP at both sides. A side whose peer is cut off still has its packets
// acknowledged by the proxy, until the proxy's buffers are full; and loss is the delay that a
// retransmission takes.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/result.h"
#include "faults/way.h"

namespace juggler {

enum class Side { Client, Server };  // of the proxy: who connects to it, and what it connects to
enum class Direction { Up, Down };   // up: from client to server

struct TcpProxyOptions {
  std::string target_host = "127.0.0.1";
  int target_port = 0;
  int listen_port = 0;  // 0: a free one; always on 127.0.0.1
  std::uint64_t seed = 1;
};

class ProxyLoop;

class TcpProxy {
 public:
  // Listens, and serves on a thread of its own until it is destroyed.
  static Result<std::unique_ptr<TcpProxy>> open(const TcpProxyOptions& options);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }

  // All that follows holds for the connections that are there and those that come. thread: any.

  void set(Direction direction, const WayProfile& profile);
  // Nothing passes that way until it is released, and nothing says so: a cut cable; with one
  // direction, a one-way cut. What was sent meanwhile passes then.
  void hold(Direction direction);
  void release();  // both directions
  // Ends every connection by a reset, and refuses new ones until heal().
  void cut();
  // That side's connections end by a reset; the other side hears nothing of it: half open. New
  // connections pass.
  void half_open(Side lost);
  // Takes back cut, hold and half-open, which ends what is left of half-open connections.
  void heal();

  // Connections that pass now.
  std::size_t connections() const;

 private:
  TcpProxy();

  void post(std::function<void(ProxyLoop&)> command);

  std::unique_ptr<ProxyLoop> loop_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace juggler
