#pragma once
// What runs on the thread of a TcpProxy: its sockets, and what passes between them.

#include <netinet/in.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <vector>

#include "faults/socket.h"
#include "faults/tcp_proxy.h"

namespace juggler {

// All but the commands runs on the proxy's thread.
class ProxyLoop {
 public:
  ProxyLoop(Socket listener, sockaddr_in target, std::uint64_t seed);

  // thread: any
  void post(std::function<void(ProxyLoop&)> command);
  void run();

  void set(Direction direction, const WayProfile& profile);
  void hold(Direction direction);
  void release();
  void cut();
  void half_open(Side lost);
  void heal();
  void stop() { stopping_ = true; }
  std::size_t connections() const { return count_; }

 private:
  struct Half {
    Socket socket;
    Way out;                // what goes to this side
    bool ended = false;     // it sends no more
    bool told_end = false;  // and was told that the other does not, either
    bool stuck = false;     // its buffer is full: what it was offered last did not fit
    explicit Half(std::uint64_t seed) : out(seed) {}
  };
  struct Flow {
    Half client;
    Half server;
    bool connecting = true;
    bool dead = false;       // to be removed
    bool half_open = false;  // one side is gone, the other is not told
    Flow(std::uint64_t up, std::uint64_t down) : client(down), server(up) {}
  };
  static Half& other(Flow& flow, const Half& half) {
    return &half == &flow.client ? flow.server : flow.client;
  }
  static Way& way(Flow& flow, Direction direction) {
    return direction == Direction::Up ? flow.server.out : flow.client.out;
  }

  void take_commands();
  void accept_one();
  void serve(Flow& flow, Half& half, short seen, Time now);
  void read_from(Flow& flow, Half& half, Time now);
  void write_to(Flow& flow, Half& half, Time now);
  void wait();

  Socket listener_;
  sockaddr_in target_;
  Rng seeds_;
  Socket wake_;  // an eventfd
  std::list<Flow> flows_;
  std::array<WayProfile, 2> profiles_{};
  std::array<bool, 2> held_{};
  bool refusing_ = false;
  bool stopping_ = false;
  std::atomic<std::size_t> count_ = 0;

  std::mutex mutex_;
  std::vector<std::function<void(ProxyLoop&)>> commands_;  // under mutex_
};

}  // namespace juggler
