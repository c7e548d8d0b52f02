#pragma once
// The folder of a private broker: its configuration, secrets and what is known of a running node.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/definitions.h"
#include "amqp/lan.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler::amqp {

// The files of one node. Everything that holds a secret is readable by its owner alone.
struct NodeFiles {
  std::string dir;
  std::string mnesia_dir;

  std::string etc(const std::string& name) const { return dir + "/etc/" + name; }
  std::string log_dir() const { return dir + "/log"; }
  std::string home() const { return dir + "/home"; }
  std::string pid_file() const { return dir + "/rabbit.pid"; }
  std::string startup_log() const { return log_dir() + "/startup.log"; }
  std::string node_log() const { return log_dir() + "/juggler@localhost.log"; }  // appended to
  std::string record() const { return dir + "/broker.json"; }
};

struct NodePorts {
  std::string listen = "127.0.0.1";
  int amqp = 0;
  int distribution = 0;
  int epmd = 0;
};

// What DIR/broker.json says of a node that runs.
struct NodeRecord {
  std::int64_t pid = 0;
  NodePorts ports;
  Passwords passwords;       // of those whose processes this machine starts
  LanAccess lan;             // where it is opened to the network
  std::vector<User> others;  // enrolled at run time: their secrets are theirs alone
};

// Controller and submitter by their names; everybody else is a device.
std::vector<User> users_of(const NodeRecord& record);

// What a start adds to the configuration.
struct NodeExtras {
  std::string configuration;         // lines for rabbitmq.conf
  std::vector<std::string> plugins;  // of RabbitMQ, to be enabled
  Bytes memory_free;                 // of the machine
};

Result<void> make_folders(const NodeFiles& files);
// Configuration and definitions, for these ports and users.
Result<void> write_configuration(const NodeFiles& files, const NodeRecord& record,
                                 const NodeExtras& extras);
Result<void> write_definitions(const NodeFiles& files, const NodeRecord& record);

Result<void> write_record(const NodeFiles& files, const NodeRecord& record);
std::optional<NodeRecord> read_record(const std::string& path);
std::optional<NodeRecord> parse_record(std::string_view text);

// Whether the process `pid` is the node of this folder, and not another that got its number.
bool is_node(const NodeFiles& files, std::int64_t pid);

// Reads the record, lets `change` change it, and writes it and the definitions, while no other
// program does the same: users come and go by several programs.
Result<NodeRecord> update_record(const NodeFiles& files,
                                 const std::function<Result<void>(NodeRecord&)>& change);

// The environment in which the node and its tools run; nothing of /etc/rabbitmq leaks in.
std::vector<std::string> node_environment(const NodeFiles& files, const NodePorts& ports);

// A TCP port on the loopback that is free now, and below those that outgoing connections get: who
// tries to reach a node that is down could be given its port, and the node could not start again.
Result<int> free_port();
// The first port that the kernel gives to outgoing connections.
int first_outgoing_port();
bool port_is_free(int port);

Result<void> write_private_file(const std::string& path, const std::string& text, unsigned mode);
// The end of a text file from the byte `from` on, for error messages. Empty where there is none.
std::string last_lines(const std::string& path, std::size_t lines_max, std::int64_t from = 0);
// Why a start failed, as far as the logs say; `log_begin`: where the node's log of this start
// begins.
std::string ends_of_logs(const NodeFiles& files, std::int64_t log_begin);

}  // namespace juggler::amqp
