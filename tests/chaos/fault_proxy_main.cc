// Bad networks for programs that are no C++: src/faults, commanded by lines on stdin. Each command
// is answered by one line, `ok …` or `error …`. Ends with its input.
//
//   link NAME HOST PORT                              ok PORT: connect there instead
//   packets NAME CLIENT SERVER                       ok: makes these two interfaces, and a link
//   between them set NAME up|down|both LATENCY_MS JITTER_MS KBIT_PER_S LOSS_PERCENT hold NAME
//   up|down|both        release NAME cut NAME                      half-open NAME client|server
//   heal NAME connections NAME                                 ok N

#include <iostream>
#include <map>
#include <sstream>
#include <variant>

#include "faults/packet_link.h"
#include "faults/tcp_proxy.h"

namespace juggler {
namespace {

std::vector<Direction> directions_of(const std::string& word) {
  if (word == "up") {
    return {Direction::Up};
  }
  if (word == "down") {
    return {Direction::Down};
  }
  return word == "both" ? std::vector{Direction::Up, Direction::Down} : std::vector<Direction>{};
}

// `link`: a TcpProxy or a PacketLink.
std::string change(auto& link, const std::string& command, std::istringstream& words) {
  std::string word;
  if (command == "set") {
    std::int64_t latency_ms = 0;
    std::int64_t jitter_ms = 0;
    std::int64_t kbit_per_s = 0;
    std::int64_t loss_percent = 0;
    words >> word >> latency_ms >> jitter_ms >> kbit_per_s >> loss_percent;
    for (const Direction direction : directions_of(word)) {
      link.set(direction, {.latency = milliseconds(latency_ms),
                           .jitter = milliseconds(jitter_ms),
                           .bits_per_second = kbit_per_s * 1000,
                           .loss_per_million = loss_percent * 10'000});
    }
  } else if (command == "hold") {
    words >> word;
    for (const Direction direction : directions_of(word)) {
      link.hold(direction);
    }
  } else if (command == "half-open") {
    words >> word;
    link.half_open(word == "client" ? Side::Client : Side::Server);
  } else if (command == "release") {
    link.release();
  } else if (command == "cut") {
    link.cut();
  } else if (command == "heal") {
    link.heal();
  } else if (command == "connections") {
    return "ok " + std::to_string(link.connections());
  } else {
    return "error unknown command '" + command + "'";
  }
  return words.fail() ? "error a word is missing after '" + command + "'" : "ok";
}

class Commands {
 public:
  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    std::string name;
    words >> command >> name;
    if (command == "link") {
      return proxy(name, words);
    }
    if (command == "packets") {
      return packets(name, words);
    }
    const auto at = links_.find(name);
    if (at == links_.end()) {
      return "error there is no link '" + name + "'";
    }
    return std::visit([&](auto& link) { return change(*link, command, words); }, at->second);
  }

 private:
  std::string proxy(const std::string& name, std::istringstream& words) {
    TcpProxyOptions options;
    words >> options.target_host >> options.target_port;
    options.seed = links_.size() + 1;
    auto proxy = TcpProxy::open(options);
    if (words.fail() || !proxy) {
      return "error " + (proxy ? std::string("link NAME HOST PORT") : proxy.error().message);
    }
    const int port = (*proxy)->port();
    links_[name] = std::move(*proxy);
    return "ok " + std::to_string(port);
  }

  std::string packets(const std::string& name, std::istringstream& words) {
    std::string client;
    std::string server;
    words >> client >> server;
    auto link = PacketLink::open(client, server, links_.size() + 1);
    if (!link) {
      return "error " + link.error().message;
    }
    links_[name] = std::move(*link);
    return "ok";
  }

  std::map<std::string, std::variant<std::unique_ptr<TcpProxy>, std::unique_ptr<PacketLink>>>
      links_;
};

}  // namespace
}  // namespace juggler

int main() {
  juggler::Commands commands;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << commands.answer(line) << std::endl;
  }
  return 0;
}
