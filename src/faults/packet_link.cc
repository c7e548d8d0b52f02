#include "faults/packet_link.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "faults/monotonic.h"

namespace juggler {
namespace {

constexpr std::size_t kPacketBytesMax = 64 << 10;
constexpr std::size_t kPacketsAtOnce = 64;  // before the other direction has its turn
// IPv4 (RFC 791, section 3.1), and ports and flags of TCP (RFC 9293, section 3.1).
constexpr std::size_t kIpHeaderBytesMin = 20;
constexpr std::size_t kProtocolAt = 9;
constexpr unsigned char kTcp = 6;
constexpr std::size_t kFlagsAt = 13;
constexpr unsigned char kSyn = 0x02;
constexpr unsigned char kAck = 0x10;

Result<Socket> interface_of(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return fail(ErrorCode::InvalidArgument,
                "'" + name + "' is no name of an interface: 1 to 15 characters");
  }
  Socket device(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (!device.open() || ioctl(device.fd(), TUNSETIFF, &request) != 0) {
    return fail(ErrorCode::Unavailable, "cannot make the interface '" + name +
                                            "' by /dev/net/tun: " + std::strerror(errno));
  }
  return device;
}

}  // namespace

Result<std::unique_ptr<PacketLink>> PacketLink::open(const std::string& client,
                                                     const std::string& server,
                                                     std::uint64_t seed) {
  Result<Socket> near = interface_of(client);
  Result<Socket> far = near ? interface_of(server) : near.error();
  if (!near || !far) {
    return far.error();
  }
  return std::unique_ptr<PacketLink>(new PacketLink(std::move(*near), std::move(*far), seed));
}

PacketLink::PacketLink(Socket client, Socket server, std::uint64_t seed)
    : ends_{End{std::move(client), PacketWay(seed * 2)},
            End{std::move(server), PacketWay(seed * 2 + 1)}},
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  JUGGLER_CHECK(wake_.open(), "no eventfd");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

PacketLink::~PacketLink() {
  thread_.request_stop();
  change([] {});
  thread_.join();
}

void PacketLink::change(const std::function<void()>& what) {
  {
    const std::lock_guard lock(mutex_);
    what();
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.fd(), &one, sizeof one);
}

void PacketLink::set(Direction direction, const WayProfile& profile) {
  change([&] { way(direction).set(profile); });
}
void PacketLink::hold(Direction direction) {
  change([&] { way(direction).hold(); });
}
void PacketLink::release() {
  change([&] {
    for (End& end : ends_) {
      end.out.release();
    }
  });
}
void PacketLink::cut() {
  change([&] {
    for (End& end : ends_) {
      end.out.hold();
    }
  });
}
void PacketLink::half_open(Side /*side*/) {
  change([&] { forgotten_.merge(std::exchange(ports_, {})); });
}
void PacketLink::heal() { release(); }

std::size_t PacketLink::connections() const {
  const std::lock_guard lock(mutex_);
  return ports_.size();
}

void PacketLink::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::array<pollfd, 3> polled{{{wake_.fd(), POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}}};
    Time next = Time::never();
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t end = 0; end < ends_.size(); ++end) {
        polled[end + 1].fd = ends_[end].interface.fd();
        next = std::min(next, ends_[end].out.next());
      }
    }
    timespec wait{};
    if (next < Time::never()) {
      const std::int64_t us = std::max<std::int64_t>(0, (next - monotonic_now()).count);
      wait = {.tv_sec = us / 1'000'000, .tv_nsec = us % 1'000'000 * 1'000};
    }
    (void)ppoll(polled.data(), polled.size(), next < Time::never() ? &wait : nullptr, nullptr);
    std::uint64_t count = 0;
    (void)!::read(wake_.fd(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    for (std::size_t end = 0; end < ends_.size(); ++end) {
      read_from(end, monotonic_now());
    }
    for (End& end : ends_) {
      write_to(end, monotonic_now());
    }
  }
}

void PacketLink::read_from(std::size_t end, Time now) {
  std::array<char, kPacketBytesMax>
      bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  for (std::size_t packet = 0; packet < kPacketsAtOnce; ++packet) {
    const ssize_t count = ::read(ends_[end].interface.fd(), bytes.data(), bytes.size());
    if (count <= 0) {
      return;  // none is there; or the interface is not up yet
    }
    std::string read(bytes.data(), static_cast<std::size_t>(count));
    if (passes(end, read)) {
      ends_[1 - end].out.put(now, std::move(read));
    }
  }
}

// What the interface does not take is lost: no packet waits twice.
void PacketLink::write_to(End& end, Time now) {
  for (std::string packet = end.out.take(now); !packet.empty(); packet = end.out.take(now)) {
    (void)!::write(end.interface.fd(), packet.data(), packet.size());
  }
}

// IPv4 alone does. Remembers a TCP connection by its client's port: address and port of the server
// are always the same ones here. One that begins (SYN) is new, whatever was at that port.
bool PacketLink::passes(std::size_t from, const std::string& packet) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(packet[at]); };
  if (packet.size() < kIpHeaderBytesMin || byte(0) >> 4 != 4) {
    return false;
  }
  const std::size_t tcp = std::size_t{byte(0) & 0x0fU} * 4;
  if (byte(kProtocolAt) != kTcp || packet.size() <= tcp + kFlagsAt) {
    return true;
  }
  const std::size_t at = tcp + (from == 0 ? 0 : 2);
  const auto port = static_cast<std::uint16_t>(byte(at) << 8 | byte(at + 1));
  if ((byte(tcp + kFlagsAt) & (kSyn | kAck)) == kSyn) {
    forgotten_.erase(port);
  }
  if (forgotten_.contains(port)) {
    return false;
  }
  ports_.insert(port);
  return true;
}

}  // namespace juggler
