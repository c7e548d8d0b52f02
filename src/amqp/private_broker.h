#pragma once
// A RabbitMQ node of one's own: as the person who runs it, on the loopback, in one folder, ended
// with the program that started it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/lan.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler::amqp {

struct PrivateBrokerOptions {
  std::string dir;  // made if missing, mode 0700; the tasks outlive a restart in it
  std::vector<std::string> devices;  // each gets a user of its own
  std::string listen = "127.0.0.1";
  int port = 0;                      // 0: as at the last start, or a free one
  std::string mnesia_dir;            // empty: in `dir`
  std::string extra_configuration;   // lines for rabbitmq.conf, e.g. a TLS listener
  std::vector<std::string> plugins;  // of RabbitMQ
  Bytes memory_free;                 // of the machine; what the node may hold: node_limits.h
  bool lan = false;                  // opened to the network, with TLS
  std::string lan_host;              // how it is reached there; empty: this machine's address
  Micros start_max = seconds(90);
  std::function<void(std::string_view)> progress;  // what it waits for, about once a second
  std::function<bool()> stop;  // asked several times a second; true ends the start
};

// The addresses of a node, with their passwords.
struct BrokerAddresses {
  std::string listen;
  int port = 0;
  std::vector<std::pair<std::string, std::string>> logins;  // user, password
  LanAccess lan;

  // Empty for a user that there is not.
  std::string url_for(std::string_view user) const;
};

class PrivateBroker {
 public:
  // Starts a node and waits until it takes connections: 3 to 9 s, more on a busy machine.
  //
  // requires  a thread that lives as long as the broker shall: the node ends with it, also when it
  //           is killed.
  static Result<PrivateBroker> start(const PrivateBrokerOptions& options);

  // The node that runs in this folder, started by another program of the same person.
  static Result<BrokerAddresses> find_running(const std::string& dir);

  // Whether another program holds this folder: its node runs there, starts or ends.
  static bool in_use(const std::string& dir);

  PrivateBroker(PrivateBroker&&) noexcept;
  PrivateBroker& operator=(PrivateBroker&&) noexcept;
  ~PrivateBroker();  // stops

  std::string url_for_controller() const;
  std::string url_for_submitter() const;
  std::string url_for_device(std::string_view device) const;  // empty: it has no user

  // Makes a user for one more device, on the running node.
  Result<void> add_device(const std::string& device);

  // Runs rabbitmqctl on the node and returns what it printed.
  Result<std::string> control(const std::vector<std::string>& arguments) const;

  std::int64_t pid() const;
  bool running() const;

  // Ends it cleanly, in about a second, and its port mapper with it. Idempotent.
  void stop();

 private:
  struct Node;
  explicit PrivateBroker(std::unique_ptr<Node> node);

  std::unique_ptr<Node> node_;
};

}  // namespace juggler::amqp
