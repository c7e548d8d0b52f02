#include "amqp/node_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "amqp/bind_port.h"
#include "amqp/node_limits.h"
#include "amqp/node_programs.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace juggler::amqp {
namespace {

using nlohmann::json;

constexpr int kPortMin = 20'000;
constexpr int kOutgoingPortMin = 32'768;  // Linux's default

Error cannot(std::string_view what, const std::string& path) {
  return fail(ErrorCode::Unavailable,
              fmt::format("cannot {} '{}': {}", what, path, std::strerror(errno)));
}

// Empty where there is no such text.
std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string configuration(const NodeFiles& files, const NodePorts& ports, Bytes memory_free) {
  // consumer_timeout lies above the longest deadline that a controller accepts. One of
  // tcp_listen_options replaces RabbitMQ's own list of them: the last four are its own.
  return fmt::format(
      "listeners.tcp.default = {}:{}\n"
      "load_definitions = {}\n"
      "vm_memory_high_watermark.absolute = {}\n"
      "disk_free_limit.absolute = 256MB\n"
      "max_message_size = 16777216\n"
      "consumer_timeout = 900000\n"
      "heartbeat = 10\n"
      "channel_max = 64\n"
      "frame_max = {}\n"
      "tcp_listen_options.backlog = 1024\n"
      "tcp_listen_options.sndbuf = {}\n"
      "tcp_listen_options.recbuf = {}\n"
      "tcp_listen_options.nodelay = true\n"
      "tcp_listen_options.linger.on = true\n"
      "tcp_listen_options.linger.timeout = 0\n"
      "tcp_listen_options.exit_on_close = false\n"
      "log.console = false\n"
      "log.file.level = warning\n",
      ports.listen, ports.amqp, files.etc("definitions.json"), node_memory(memory_free.count),
      kHeadersMax, kSocketBuffer, kSocketBuffer);
}

// How much may be under way between the node's processes: node_limits.h.
std::string advanced_configuration() {
  return fmt::format(
      "[{{rabbit, [{{credit_flow_default_credit, {{{0}, {1}}}}},\n"
      "           {{msg_store_credit_disc_bound, {{{2}, {0}}}}}]}}].\n",
      kCredit, kCredit / 2, kCredit * 4);
}

}  // namespace

Result<void> write_private_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) {
    return cannot("create", draft);
  }
  const ssize_t written = write(fd, text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size());
  if (close(fd) != 0 || !whole || rename(draft.c_str(), path.c_str()) != 0) {
    return cannot("write", path);
  }
  return {};
}

Result<void> make_folders(const NodeFiles& files) {
  for (const std::string& folder :
       {files.dir, files.dir + "/etc", files.log_dir(), files.home(), files.mnesia_dir}) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("cannot make the folder '{}': {}", folder, error.message()));
    }
  }
  return chmod(files.dir.c_str(), 0700) == 0 ? Result<void>() : cannot("protect", files.dir);
}

std::vector<User> users_of(const NodeRecord& record) {
  std::vector<User> users;
  for (const auto& [name, password] : record.passwords) {
    const UserRole role = name == kControllerUser  ? UserRole::Controller
                          : name == kSubmitterUser ? UserRole::Submitter
                                                   : UserRole::Device;
    users.push_back({name, role, password_hash(password)});
  }
  users.insert(users.end(), record.others.begin(), record.others.end());
  return users;
}

Result<void> write_definitions(const NodeFiles& files, const NodeRecord& record) {
  // The queues are not in it: the controller declares them, on any broker in the same way.
  Definitions definitions;
  definitions.users = users_of(record);
  return write_private_file(files.etc("definitions.json"), definitions_json(definitions), 0600);
}

Result<NodeRecord> update_record(const NodeFiles& files,
                                 const std::function<Result<void>(NodeRecord&)>& change) {
  const std::string path = files.record() + ".lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return cannot("open", path);
  }
  const std::unique_ptr<const int, void (*)(const int*)> held(&fd,
                                                              [](const int* at) { close(*at); });
  if (flock(fd, LOCK_EX) != 0) {
    return cannot("lock", path);
  }
  NodeRecord record = read_record(files.record()).value_or(NodeRecord{});
  Result<void> done = change(record);
  if (done) {
    done = write_definitions(files, record);
  }
  if (done) {
    done = write_record(files, record);
  }
  return done ? Result<NodeRecord>(std::move(record)) : done.error();
}

Result<void> write_configuration(const NodeFiles& files, const NodeRecord& record,
                                 const NodeExtras& extras) {
  const struct {
    std::string path;
    std::string text;
    unsigned mode;
  } wanted[] = {
      {files.etc("rabbitmq.conf"),
       configuration(files, record.ports, extras.memory_free) + extras.configuration, 0600},
      {files.etc("advanced.config"), advanced_configuration(), 0600},
      {files.etc("enabled_plugins"), fmt::format("[{}].\n", fmt::join(extras.plugins, ",")), 0600},
  };
  for (const auto& file : wanted) {
    if (auto written = write_private_file(file.path, file.text, file.mode); !written) {
      return written;
    }
  }
  // Erlang's own would have 20 letters. Kept between starts: a running node's tools share it.
  const std::string cookie = files.home() + "/.erlang.cookie";
  if (access(cookie.c_str(), R_OK) != 0) {
    if (auto written = write_private_file(cookie, random_text(32), 0400); !written) {
      return written;
    }
  }
  return write_definitions(files, record);
}

Result<void> write_record(const NodeFiles& files, const NodeRecord& record) {
  json others = json::array();
  for (const User& user : record.others) {
    others.push_back({{"name", user.name},
                      {"role", to_string(user.role)},
                      {"password_hash", user.password_hash}});
  }
  const json text = {{"pid", record.pid},
                     {"listen", record.ports.listen},
                     {"port", record.ports.amqp},
                     {"distribution_port", record.ports.distribution},
                     {"epmd_port", record.ports.epmd},
                     {"passwords", record.passwords},
                     {"lan",
                      {{"host", record.lan.host},
                       {"port", record.lan.port},
                       {"fingerprint", record.lan.fingerprint}}},
                     {"users", std::move(others)}};
  return write_private_file(files.record(), text.dump(2) + "\n", 0600);
}

std::optional<NodeRecord> read_record(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return file ? parse_record(text.str()) : std::nullopt;
}

std::optional<NodeRecord> parse_record(std::string_view text) {
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object()) {
    return std::nullopt;
  }
  const auto number = [&record](const char* key) -> std::int64_t {
    const auto found = record.find(key);
    return found != record.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  NodeRecord read;
  read.pid = number("pid");
  read.ports.amqp = static_cast<int>(number("port"));
  read.ports.distribution = static_cast<int>(number("distribution_port"));
  read.ports.epmd = static_cast<int>(number("epmd_port"));
  if (const auto listen = record.find("listen"); listen != record.end() && listen->is_string()) {
    read.ports.listen = listen->get<std::string>();
  }
  const auto passwords = record.find("passwords");
  if (passwords == record.end() || !passwords->is_object()) {
    return std::nullopt;
  }
  for (const auto& [user, password] : passwords->items()) {
    if (password.is_string()) {
      read.passwords[user] = password.get<std::string>();
    }
  }
  if (const auto lan = record.find("lan"); lan != record.end() && lan->is_object()) {
    const auto port = lan->find("port");
    read.lan = {text_at(*lan, "host"),
                port != lan->end() && port->is_number_integer() ? port->get<int>() : 0,
                text_at(*lan, "fingerprint")};
  }
  for (const json& entry : record.value("users", json::array())) {
    const auto role = role_of(text_at(entry, "role"));
    if (role && !text_at(entry, "name").empty()) {
      read.others.push_back({text_at(entry, "name"), *role, text_at(entry, "password_hash")});
    }
  }
  return read;
}

bool is_node(const NodeFiles& files, std::int64_t pid) {
  if (pid <= 0) {
    return false;
  }
  std::ifstream file(fmt::format("/proc/{}/environ", pid), std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const std::string wanted = fmt::format("RABBITMQ_PID_FILE={}", files.pid_file());
  return text.str().find(wanted + '\0') != std::string::npos;
}

std::vector<std::string> node_environment(const NodeFiles& files, const NodePorts& ports) {
  const char* loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
  return {
      "HOME=" + files.home(),
      fmt::format("PATH={}", kNodePath),
      "LANG=C.UTF-8",
      // Else queues hold pictures that have left until later: 100 MB more at the peak.
      "ERL_FULLSWEEP_AFTER=0",
      // Not the machine's name: that may have no address, or change with the network.
      "RABBITMQ_NODENAME=juggler@localhost",
      "RABBITMQ_CONF_ENV_FILE=/dev/null",
      "RABBITMQ_CONFIG_FILE=" + files.etc("rabbitmq.conf"),
      "RABBITMQ_ADVANCED_CONFIG_FILE=" + files.etc("advanced.config"),
      "RABBITMQ_ENABLED_PLUGINS_FILE=" + files.etc("enabled_plugins"),
      "RABBITMQ_MNESIA_BASE=" + files.mnesia_dir,
      "RABBITMQ_LOG_BASE=" + files.log_dir(),
      "RABBITMQ_PID_FILE=" + files.pid_file(),
      fmt::format("RABBITMQ_DIST_PORT={}", ports.distribution),
      fmt::format("ERL_EPMD_PORT={}", ports.epmd),
      "ERL_EPMD_ADDRESS=127.0.0.1",
      "ERL_CRASH_DUMP=" + files.log_dir() + "/erl_crash.dump",
      "ERL_CRASH_DUMP_BYTES=0",
      fmt::format("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS={}", loopback),
      fmt::format("RABBITMQ_CTL_ERL_ARGS={}", loopback),
  };
}

int first_outgoing_port() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int first = 0;
  return file >> first && first > kPortMin + 1'000 ? first : kOutgoingPortMin;
}

Result<int> free_port() {
  std::random_device random;
  const int ports = first_outgoing_port() - kPortMin;
  for (int attempt = 0; attempt < 200; ++attempt) {
    const int port = kPortMin + static_cast<int>(random() % static_cast<unsigned>(ports));
    if (port_is_free(port)) {
      return port;
    }
  }
  return fail(ErrorCode::Unavailable, "no free TCP port on the loopback");
}

bool port_is_free(int port) {
  const int fd = bind_port(INADDR_LOOPBACK, port);
  if (fd >= 0) {
    close(fd);
  }
  return fd >= 0;
}

std::string last_lines(const std::string& path, std::size_t lines_max, std::int64_t from) {
  std::ifstream file(path);
  file.seekg(from);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    lines.push_back(line.substr(0, 300));
    if (lines.size() > lines_max) {
      lines.erase(lines.begin());
    }
  }
  std::string text;
  for (const std::string& line : lines) {
    text += "\n  " + line;
  }
  return text;
}

std::string ends_of_logs(const NodeFiles& files, std::int64_t log_begin) {
  std::string text =
      fmt::format("the end of '{}':{}", files.startup_log(), last_lines(files.startup_log(), 8));
  if (const std::string logged = last_lines(files.node_log(), 8, log_begin); !logged.empty()) {
    text += fmt::format("\nthe end of '{}':{}", files.node_log(), logged);
  }
  return text;
}

}  // namespace juggler::amqp
