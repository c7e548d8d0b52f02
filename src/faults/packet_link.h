#pragma once
// A bad network of IP packets, between two network interfaces that it makes (TUN): what the kernel
// sends into one comes out of the other late, at a rate, or not at all. Unlike the TcpProxy it ends
// no connection: both kernels retransmit, acknowledge and give up themselves. As tc netem, for
// kernels that are built without it.
//
// Needs CAP_NET_ADMIN in its network namespace, and /dev/net/tun.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "core/result.h"
#include "faults/packet_way.h"
#include "faults/socket.h"
#include "faults/tcp_proxy.h"

namespace juggler {

class PacketLink {
 public:
  // Makes both interfaces, in this network namespace and without addresses: who calls moves and
  // configures them. Names of at most 15 characters. Serves on a thread of its own until it is
  // destroyed, which removes them.
  static Result<std::unique_ptr<PacketLink>> open(const std::string& client,
                                                  const std::string& server, std::uint64_t seed);
  ~PacketLink();
  PacketLink(const PacketLink&) = delete;
  PacketLink& operator=(const PacketLink&) = delete;

  // The commands of TcpProxy, on packets. thread: any

  void set(Direction direction, const WayProfile& profile);
  // Every packet that way is lost.
  void hold(Direction direction);
  void release();
  // A cable that is pulled out: every packet is lost, both ways, until heal().
  void cut();
  // A router that has forgotten its connections: those that passed here pass nothing any more, also
  // after heal(), and nobody is told, neither side. New ones pass.
  void half_open(Side side);
  void heal();

  // Those that packets of were seen and that are not forgotten; ended ones count.
  std::size_t connections() const;

 private:
  struct End {
    Socket interface;
    PacketWay out;  // what goes to this side
  };

  PacketLink(Socket client, Socket server, std::uint64_t seed);
  PacketWay& way(Direction direction) { return ends_[direction == Direction::Up ? 1 : 0].out; }
  void change(const std::function<void()>& what);
  void run(const std::stop_token& stop);
  void read_from(std::size_t end, Time now);
  void write_to(End& end, Time now);
  bool passes(std::size_t from, const std::string& packet);

  mutable std::mutex mutex_;           // all but wake_ and thread_
  std::array<End, 2> ends_;            // client, server
  std::set<std::uint16_t> ports_;      // of clients, whose packets were seen
  std::set<std::uint16_t> forgotten_;  // of those before half_open()
  Socket wake_;                        // an eventfd
  std::jthread thread_;
};

}  // namespace juggler
