#include "amqp/broker_users.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "amqp/definitions.h"
#include "amqp/node_files.h"
#include "amqp/node_programs.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "runtime/child_process.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

using nlohmann::json;

constexpr Micros kControlMax = seconds(120);  // a second or two, but on a machine that is busy

// Where `program` lies, by $PATH; itself where it has a slash, or lies nowhere.
std::string find_program(const std::string& program, const std::vector<std::string>& environment) {
  if (program.find('/') != std::string::npos) {
    return program;
  }
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& variable : environment) {
    if (variable.starts_with("PATH=")) {
      path = variable.substr(5) + ":" + path;
    }
  }
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    std::string candidate = path.substr(0, end) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    path.erase(0, end + 1);
  }
  return program;
}

// What follows the first bracket: some versions print a line of their own before it.
json list_in(const std::string& text) {
  const std::size_t begin = text.find('[');
  json list = begin == std::string::npos
                  ? json()
                  : json::parse(text.substr(begin), nullptr, /*allow_exceptions=*/false);
  return list.is_array() ? list : json::array();
}

std::optional<UserRole> role_in(const json& tags) {
  for (const json& tag : tags) {
    if (const auto role = tag.is_string() ? role_of(tag.get<std::string>()) : std::nullopt) {
      return role;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<BrokerUsers> BrokerUsers::of_private(const std::string& dir) {
  NodeFiles files;
  std::error_code failed;
  files.dir = std::filesystem::absolute(dir, failed).string();
  files.mnesia_dir = files.dir + "/mnesia";
  const auto record = read_record(files.record());
  if (!record || !is_node(files, record->pid)) {
    return fail(ErrorCode::NotFound, fmt::format("no broker runs in '{}'", files.dir));
  }
  BrokerUsers users;
  users.command_ = {kControl};
  users.environment_ = node_environment(files, record->ports);
  users.private_dir_ = files.dir;
  return users;
}

BrokerUsers BrokerUsers::of_command(std::vector<std::string> command, std::string vhost) {
  BrokerUsers users;
  users.environment_ = own_environment();
  users.command_ = std::move(command);
  users.command_.front() = find_program(users.command_.front(), users.environment_);
  users.vhost_ = std::move(vhost);
  return users;
}

Result<std::string> BrokerUsers::control(std::vector<std::string> arguments,
                                         std::string input) const {
  const std::string what = arguments.front();
  arguments.insert(arguments.begin(), command_.begin() + 1, command_.end());
  auto end = run_child({.program = command_.front(),
                        .arguments = std::move(arguments),
                        .environment = environment_,
                        .output = "",
                        .input = std::move(input)},
                       kControlMax, meanwhile_);
  if (!end) {
    return end.error();
  }
  if (end->status == 127) {
    return fail(ErrorCode::Unavailable,
                fmt::format("there is no program '{}' here", command_.front()));
  }
  if (end->status != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("rabbitmqctl {} failed: {}", what, end->output.substr(0, 1000)));
  }
  return std::move(end->output);
}

Result<std::vector<KnownUser>> BrokerUsers::list() const {
  const auto text = control({"list_users", "--quiet", "--formatter", "json"});
  if (!text) {
    return text.error();
  }
  std::vector<KnownUser> users;
  for (const json& entry : list_in(*text)) {
    const auto name = entry.is_object() ? entry.find("user") : entry.end();
    const auto role = entry.is_object() && entry.contains("tags") ? role_in(entry["tags"])
                                                                  : std::optional<UserRole>();
    if (role && name != entry.end() && name->is_string()) {
      users.push_back({name->get<std::string>(), *role});
    }
  }
  std::sort(users.begin(), users.end(),
            [](const KnownUser& a, const KnownUser& b) { return a.name < b.name; });
  return users;
}

Result<void> BrokerUsers::import(const std::string& definitions) const {
  const auto done = control({"import_definitions"}, definitions);
  return done ? Result<void>() : done.error();
}

// What the vhost has; classic where it has nothing, or it cannot be found out.
QueueKind BrokerUsers::queue_kind() const {
  if (!private_dir_.empty()) {
    return QueueKind::Classic;  // one node
  }
  const auto text =
      control({"list_queues", "-p", vhost_, "--quiet", "--formatter", "json", "name", "type"});
  for (const json& queue : text ? list_in(*text) : json::array()) {
    if (queue.is_object() && queue.value("name", json()) == wire::kTasksQueue) {
      return queue.value("type", json()) == "quorum" ? QueueKind::Quorum : QueueKind::Classic;
    }
  }
  return QueueKind::Classic;
}

Result<void> BrokerUsers::put(const std::vector<User>& users) const {
  Definitions definitions;
  definitions.vhost = vhost_;
  definitions.users = users;
  definitions.policies = false;
  const bool devices = std::any_of(users.begin(), users.end(),
                                   [](const User& user) { return user.role == UserRole::Device; });
  if (devices) {
    const QueueKind kind = queue_kind();
    definitions.topology.push_back(fleet_topology(kind));
    for (const User& user : users) {
      if (user.role == UserRole::Device) {
        definitions.topology.push_back(device_topology(user.name, kind));
      }
    }
  }
  if (!private_dir_.empty()) {  // it reads its users from a file at its next start
    auto written = update_record({private_dir_, private_dir_ + "/mnesia"}, [&](NodeRecord& record) {
      for (const User& user : users) {
        std::erase_if(record.others, [&](const User& one) { return one.name == user.name; });
        record.passwords.erase(user.name);
        record.others.push_back(user);
      }
      return Result<void>();
    });
    if (!written) {
      return written.error();
    }
  }
  return import(definitions_json(definitions));
}

Result<void> BrokerUsers::cut(const std::string& name, const std::string& why) const {
  const auto done = control({"close_all_user_connections", name, why});
  return done ? Result<void>() : done.error();
}

Result<void> BrokerUsers::remove(const std::string& name) const {
  const auto known = list();
  if (!known) {
    return known.error();
  }
  const auto user = std::find_if(known->begin(), known->end(),
                                 [&](const KnownUser& one) { return one.name == name; });
  if (user == known->end()) {
    return fail(ErrorCode::NotFound,
                fmt::format("the broker has no user '{}' that Juggler has made", name));
  }
  if (!private_dir_.empty()) {
    auto written = update_record({private_dir_, private_dir_ + "/mnesia"}, [&](NodeRecord& record) {
      std::erase_if(record.others, [&](const User& one) { return one.name == name; });
      record.passwords.erase(name);
      return Result<void>();
    });
    if (!written) {
      return written.error();
    }
  }
  // First the user: nobody comes back between the two. The broker ends its connections with it.
  if (auto done = control({"delete_user", name}); !done) {
    return done.error();
  }
  if (auto done = cut(name, "revoked"); !done) {
    return done;
  }
  if (user->role == UserRole::Device) {
    for (const std::string& queue : {device_queue(name), device_control_queue(name)}) {
      // One that is not there has nothing to delete.
      (void)control({"delete_queue", "-p", vhost_, queue});
    }
  }
  return {};
}

}  // namespace juggler::amqp
