#include "amqp/private_broker.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "amqp/connection.h"
#include "amqp/message_store.h"
#include "amqp/monotonic.h"
#include "amqp/node_files.h"
#include "amqp/node_programs.h"
#include "amqp/notify_socket.h"
#include "amqp/topology.h"
#include "core/device.h"
#include "fmt/format.h"
#include "runtime/child_process.h"

namespace juggler::amqp {
namespace {

// Held for the life of the broker by the program that started it.
Result<int> lock_folder(const std::string& dir) {
  const std::string path = dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot open '{}': {}", path, std::strerror(errno)));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return fail(ErrorCode::Unavailable,
                fmt::format("a broker runs in '{}' already, under another program; stop that one, "
                            "or use another folder",
                            dir));
  }
  return fd;
}

void kill_port_mapper(const NodeFiles& files, const NodePorts& ports) {
  if (ports.epmd == 0) {
    return;
  }
  // It refuses as long as a node is registered, so it can only hit one that is left over.
  auto child = start_child({.program = kPortMapper,
                            .arguments = {"-port", std::to_string(ports.epmd), "-kill"},
                            .environment = node_environment(files, ports),
                            .output = files.startup_log()});
  if (child && !await_child(*child, seconds(5))) {
    end_child(*child, seconds(1));
  }
}

// What a predecessor that was killed left behind. Its node ends with it, but takes a second.
Result<void> clean_up(const NodeFiles& files, const NodeRecord& old) {
  const Time until = monotonic_now() + seconds(20);
  while (is_node(files, old.pid)) {
    if (monotonic_now() >= until) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("the process {} still runs as the broker of '{}': end it, or use "
                              "another folder",
                              old.pid, files.dir));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill_port_mapper(files, old.ports);
  unlink(files.pid_file().c_str());
  return {};
}

Result<NodePorts> choose_ports(const PrivateBrokerOptions& options, const NodePorts& old) {
  NodePorts ports;
  ports.listen = options.listen;
  ports.amqp = options.port;
  if (ports.amqp == 0 && old.amqp != 0 && port_is_free(old.amqp)) {
    ports.amqp = old.amqp;  // what was given this address before still holds
  }
  std::set<int> taken{ports.amqp};
  for (int* port : {&ports.amqp, &ports.distribution, &ports.epmd}) {
    while (*port == 0) {
      auto found = free_port();
      if (!found) {
        return found.error();
      }
      *port = taken.insert(*found).second ? *found : 0;
    }
  }
  return ports;
}

Result<Passwords> choose_passwords(const PrivateBrokerOptions& options, const Passwords& old) {
  Passwords passwords = old;  // what a device was given before still holds
  std::vector<std::string> users = {kControllerUser, kSubmitterUser};
  for (const std::string& device : options.devices) {
    if (auto checked = check_device_name(device); !checked) {
      return checked.error();
    }
    users.push_back(device);
  }
  for (const std::string& user : users) {
    if (!passwords.contains(user)) {
      passwords[user] = random_text(24);
    }
  }
  return passwords;
}

BrokerAddresses addresses(const NodeRecord& record) {
  BrokerAddresses result;
  result.listen = record.ports.listen == "0.0.0.0" ? "127.0.0.1" : record.ports.listen;
  result.port = record.ports.amqp;
  result.logins.assign(record.passwords.begin(), record.passwords.end());
  result.lan = record.lan;
  return result;
}

}  // namespace

std::string BrokerAddresses::url_for(std::string_view user) const {
  const auto found = std::find_if(logins.begin(), logins.end(),
                                  [user](const auto& login) { return login.first == user; });
  return found == logins.end() ? std::string()
                               : fmt::format("amqp://{}:{}@{}:{}/{}", found->first, found->second,
                                             listen, port, kVhost);
}

struct PrivateBroker::Node {
  NodeFiles files;
  NodeRecord record;
  int lock_fd = -1;
  pid_t child = -1;
  pid_t port_mapper = -1;
  std::int64_t log_begin = 0;  // of this start, in the node's log

  Result<void> start_processes(const std::string& notify_path);
  Result<void> await_ready(const NotifySocket& socket, const PrivateBrokerOptions& options);
  bool takes_logins() const;
};

// For servers that notify nobody: logs in.
bool PrivateBroker::Node::takes_logins() const {
  const auto url = BrokerUrl::parse(addresses(record).url_for(kControllerUser));
  return url && Connection::open(*url, "juggler: start").has_value();
}

Result<void> PrivateBroker::Node::await_ready(const NotifySocket& socket,
                                              const PrivateBrokerOptions& options) {
  constexpr Micros kLoginsAfter = seconds(20);
  constexpr Micros kTurn = milliseconds(100);
  constexpr Micros kSpeakAgain = seconds(1);
  const Time began = monotonic_now();
  Time spoken = began;
  for (;;) {
    if (socket.ready(kTurn)) {
      return {};
    }
    if (options.stop && options.stop()) {
      // It has taken nothing yet that could be lost, and would first finish its start.
      kill(-child, SIGKILL);  // with what its script has started
      return fail(ErrorCode::Unavailable, "stopped");
    }
    const Micros waited = monotonic_now() - began;
    if (auto status = poll_child(child)) {
      child = -1;  // its number may be somebody else's soon
      return fail(ErrorCode::Unavailable,
                  fmt::format("the broker ended at its start with status {}; {}", *status,
                              ends_of_logs(files, log_begin)));
    }
    if (monotonic_now() - spoken < kSpeakAgain) {
      continue;
    }
    spoken = monotonic_now();
    if (waited >= kLoginsAfter && takes_logins()) {
      return {};
    }
    if (waited >= options.start_max) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("the broker was not ready after {} s; {}", waited.count / 1'000'000,
                              ends_of_logs(files, log_begin)));
    }
    if (options.progress) {
      options.progress(
          fmt::format("RabbitMQ is starting, {} s (3 to 9 s as a rule)", waited.count / 1'000'000));
    }
  }
}

// The port mapper first, as our own child: the one that RabbitMQ would start outlives it.
Result<void> PrivateBroker::Node::start_processes(const std::string& notify_path) {
  unlink(files.startup_log().c_str());
  std::error_code failed;
  const std::uintmax_t logged = std::filesystem::file_size(files.node_log(), failed);
  log_begin = failed ? 0 : static_cast<std::int64_t>(logged);
  std::vector<std::string> environment = node_environment(files, record.ports);
  auto mapper = start_child({.program = kPortMapper,
                             .arguments = {"-port", std::to_string(record.ports.epmd)},
                             .environment = environment,
                             .output = files.startup_log(),
                             .ends_with_us = true});
  if (!mapper) {
    return mapper.error();
  }
  port_mapper = *mapper;
  environment.push_back("NOTIFY_SOCKET=" + notify_path);
  auto started = start_child({.program = kServer,
                              .arguments = {},
                              .environment = std::move(environment),
                              .folder = files.log_dir(),  // a dying node dumps where it runs
                              .output = files.startup_log(),
                              .ends_with_us = true});
  if (!started) {
    return started.error();
  }
  child = *started;
  record.pid = child;
  return {};
}

PrivateBroker::PrivateBroker(std::unique_ptr<Node> node) : node_(std::move(node)) {}
PrivateBroker::PrivateBroker(PrivateBroker&&) noexcept = default;
PrivateBroker& PrivateBroker::operator=(PrivateBroker&& other) noexcept {
  if (this != &other) {
    stop();
    node_ = std::move(other.node_);
  }
  return *this;
}
PrivateBroker::~PrivateBroker() { stop(); }

Result<PrivateBroker> PrivateBroker::start(const PrivateBrokerOptions& options) {
  if (const auto there = broker_installed(); !there) {
    return there.error();
  }
  PrivateBroker broker(std::make_unique<Node>());
  Node& node = *broker.node_;
  std::error_code error;
  node.files.dir = std::filesystem::absolute(options.dir, error).string();
  node.files.mnesia_dir =
      options.mnesia_dir.empty() ? node.files.dir + "/mnesia" : options.mnesia_dir;
  if (auto made = make_folders(node.files); !made) {
    return made.error();
  }
  auto lock = lock_folder(node.files.dir);
  if (!lock) {
    return lock.error();
  }
  node.lock_fd = *lock;
  const NodeRecord old = read_record(node.files.record()).value_or(NodeRecord{});
  if (auto cleaned = clean_up(node.files, old); !cleaned) {
    return cleaned.error();
  }
  if (auto mended = mend_message_stores(node.files.mnesia_dir); !mended) {
    return mended.error();
  }
  auto ports = choose_ports(options, old.ports);
  auto passwords = choose_passwords(options, old.passwords);
  if (!ports || !passwords) {
    return ports ? passwords.error() : ports.error();
  }
  node.record = {0, *ports, *passwords, {}, old.others};
  for (const auto& [name, password] : *passwords) {  // ours now: what it was given before is void
    std::erase_if(node.record.others,
                  [&name = name](const User& user) { return user.name == name; });
  }
  NodeExtras extras{options.extra_configuration, options.plugins, options.memory_free};
  if (options.lan) {
    auto lan = prepare_lan(node.files.dir + "/etc", options.lan_host, old.lan.port);
    if (!lan) {
      return lan.error();
    }
    node.record.lan = std::move(*lan);
    extras.configuration += lan_configuration(node.files.dir + "/etc", node.record.lan);
  }
  if (auto written = write_configuration(node.files, node.record, extras); !written) {
    return written.error();
  }
  auto socket = NotifySocket::open(node.files.dir);
  if (!socket) {
    return socket.error();
  }
  if (auto started = node.start_processes((*socket)->path()); !started) {
    return started.error();
  }
  if (auto written = write_record(node.files, node.record); !written) {
    return written.error();
  }
  if (auto ready = node.await_ready(**socket, options); !ready) {
    return ready.error();
  }
  return broker;
}

Result<BrokerAddresses> PrivateBroker::find_running(const std::string& dir) {
  NodeFiles files;
  std::error_code error;
  files.dir = std::filesystem::absolute(dir, error).string();
  const auto record = read_record(files.record());
  if (!record || !is_node(files, record->pid)) {
    return fail(ErrorCode::NotFound, fmt::format("no broker runs in '{}'", files.dir));
  }
  return addresses(*record);
}

bool PrivateBroker::in_use(const std::string& dir) {
  const int fd = open((dir + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return false;  // nobody ever started one there
  }
  // Shared: two that only ask do not see each other.
  const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return held;
}

std::string PrivateBroker::url_for_controller() const {
  return addresses(node_->record).url_for(kControllerUser);
}
std::string PrivateBroker::url_for_submitter() const {
  return addresses(node_->record).url_for(kSubmitterUser);
}
std::string PrivateBroker::url_for_device(std::string_view device) const {
  return addresses(node_->record).url_for(device);
}

Result<void> PrivateBroker::add_device(const std::string& device) {
  if (auto checked = check_device_name(device); !checked) {
    return checked;
  }
  if (node_->record.passwords.contains(device)) {
    return {};
  }
  auto updated = update_record(node_->files, [&device](NodeRecord& record) {
    record.passwords[device] = new_password();
    return Result<void>();
  });
  if (!updated) {
    return updated.error();
  }
  node_->record = std::move(*updated);
  // By a file: a password on a command line could be read by everybody on the machine.
  if (auto done = control({"import_definitions", node_->files.etc("definitions.json")}); !done) {
    return done.error();
  }
  return {};
}

Result<std::string> PrivateBroker::control(const std::vector<std::string>& arguments) const {
  auto end = run_child({.program = kControl,
                        .arguments = arguments,
                        .environment = node_environment(node_->files, node_->record.ports),
                        .output = ""},
                       seconds(60));
  if (!end) {
    return end.error();
  }
  if (end->status != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("rabbitmqctl {} failed: {}", arguments.empty() ? "" : arguments.front(),
                            end->output.substr(0, 1000)));
  }
  return std::move(end->output);
}

std::int64_t PrivateBroker::pid() const { return node_->record.pid; }

bool PrivateBroker::running() const { return node_ && is_node(node_->files, node_->record.pid); }

void PrivateBroker::stop() {
  if (!node_ || node_->lock_fd < 0) {
    return;
  }
  if (node_->child > 0) {
    end_child(node_->child, seconds(15));
    node_->child = -1;
    // Ports and passwords serve the next start; who was enrolled meanwhile stays.
    (void)update_record(node_->files, [](NodeRecord& record) {
      record.pid = 0;
      return Result<void>();
    });
  }
  if (node_->port_mapper > 0) {
    end_child(node_->port_mapper, seconds(2));
    node_->port_mapper = -1;
  }
  close(node_->lock_fd);
  node_->lock_fd = -1;
}

}  // namespace juggler::amqp
