#include "amqp/definitions.h"

#include <utility>
#include <variant>

#include "amqp/node_limits.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

using nlohmann::json;

json limits_json(UserRole role) {
  switch (role) {
    case UserRole::Device:
    case UserRole::Token:
      return {{"max-connections", kDeviceConnectionsMax}, {"max-channels", kDeviceChannelsMax}};
    case UserRole::Submitter:
      return {{"max-connections", kSubmitterConnectionsMax},
              {"max-channels", kSubmitterChannelsMax}};
    case UserRole::Controller:
      break;
  }
  return json::object();
}

json user_json(const User& user) {
  return {{"name", user.name},
          {"password_hash", user.password_hash},
          {"hashing_algorithm", "rabbit_password_hashing_sha256"},
          {"tags", json::array({to_string(user.role)})},
          {"limits", limits_json(user.role)}};
}

json permission_json(const User& user, const std::string& vhost) {
  Permissions may = permissions_of(user);
  return {{"user", user.name},
          {"vhost", vhost},
          {"configure", std::move(may.configure)},
          {"write", std::move(may.write)},
          {"read", std::move(may.read)}};
}

json policy(const std::string& vhost, const char* name, const char* pattern, int priority,
            json definition) {
  return {{"vhost", vhost},       {"name", name},         {"pattern", pattern},
          {"apply-to", "queues"}, {"priority", priority}, {"definition", std::move(definition)}};
}

// Policies, not arguments: they can be changed without deleting the queues, so also while a fleet
// runs; where both say how much, the smaller counts. Of two policies that match a queue only the
// one of higher priority counts. Lazy: what waits is on disk; it has to be written there anyhow
// before it is confirmed. Quorum queues are on disk in any case, and have no mode.
json policies_json(const std::string& vhost, QueueKind kind) {
  json policies = json::array();
  const json mode =
      kind == QueueKind::Quorum ? json::object() : json::object({{"queue-mode", "lazy"}});
  const auto limit = [&](const char* name, const char* pattern, json definition) {
    definition.update(mode);
    policies.push_back(policy(vhost, name, pattern, 1, std::move(definition)));
  };
  // Who does not read its outcomes: one that is refused goes to juggler.unrouted after some tries,
  // where it can be found; dropping the oldest would lose it. Not lazy: then each outcome would be
  // written to disk, where now it is handed on to who waits for it.
  policies.push_back(policy(vhost, "juggler-replies", "^amq\\.gen", 0,
                            {{"max-length", kRepliesReadyMax},
                             {"max-length-bytes", kRepliesReadyBytesMax},
                             {"overflow", "reject-publish"},
                             {"expires", kRepliesUnusedMaxMs}}));
  limit("juggler-tasks", "^juggler\\.tasks$",
        {{"max-length", kTasksReadyMax}, {"max-length-bytes", kTasksReadyBytesMax}});
  // A device that floods is told no; others send again.
  limit("juggler-results", "^juggler\\.results$",
        {{"max-length", kResultsReadyMax},
         {"max-length-bytes", kResultsReadyBytesMax},
         {"overflow", "reject-publish"}});
  // Here the oldest goes, as their arguments have it; so do their bytes.
  limit("juggler-left", "^juggler\\.(unrouted|failed)$", {{"max-length", kLeftReadyMax}});
  limit("juggler-dead", "^juggler\\.dead$", {{"max-length", kDeadReadyMax}});
  if (kind == QueueKind::Classic) {
    policies.push_back(policy(vhost, "juggler-lazy", "^juggler\\.", 0, mode));
  }
  return policies;
}

// Whoever may declare queues could otherwise declare them without end.
json vhost_limits_json(const std::string& vhost) {
  return json::array({{{"component", "vhost-limits"},
                       {"name", "limits"},
                       {"vhost", vhost},
                       {"value", {{"max-queues", kQueuesMax}}}}});
}

json arguments_json(const std::vector<Argument>& arguments) {
  json object = json::object();
  for (const Argument& argument : arguments) {
    std::visit([&](const auto& value) { object[argument.key] = value; }, argument.value);
  }
  return object;
}

void add_topology(json& document, const std::string& vhost, const Topology& topology) {
  for (const ExchangeSpec& exchange : topology.exchanges) {
    document["exchanges"].push_back({{"name", exchange.name},
                                     {"vhost", vhost},
                                     {"type", exchange.type},
                                     {"durable", true},
                                     {"auto_delete", false},
                                     {"internal", false},
                                     {"arguments", arguments_json(exchange.arguments)}});
  }
  for (const QueueSpec& queue : topology.queues) {
    document["queues"].push_back({{"name", queue.name},
                                  {"vhost", vhost},
                                  {"durable", true},
                                  {"auto_delete", false},
                                  {"arguments", arguments_json(queue.arguments)}});
  }
  const auto bind = [&](const std::string& source, const std::string& destination, const char* type,
                        const std::string& key) {
    document["bindings"].push_back({{"source", source},
                                    {"vhost", vhost},
                                    {"destination", destination},
                                    {"destination_type", type},
                                    {"routing_key", key},
                                    {"arguments", json::object()}});
  };
  for (const BindingSpec& binding : topology.bindings) {
    bind(binding.exchange, binding.queue, "queue", binding.key);
  }
  for (const ExchangeBindingSpec& binding : topology.exchange_bindings) {
    bind(binding.source, binding.destination, "exchange", binding.key);
  }
}

}  // namespace

std::string definitions_json(const Definitions& definitions) {
  const std::string& vhost = definitions.vhost;
  json document = {{"vhosts", json::array({{{"name", vhost}}})},
                   {"users", json::array()},
                   {"permissions", json::array()},
                   {"topic_permissions", json::array()}};
  for (const User& user : definitions.users) {
    document["users"].push_back(user_json(user));
    document["permissions"].push_back(permission_json(user, vhost));
    if (user.role == UserRole::Device) {
      document["topic_permissions"].push_back({{"user", user.name},
                                               {"vhost", vhost},
                                               {"exchange", wire::kUpExchange},
                                               {"write", "^(result|heartbeat|hello)\\.{username}$"},
                                               {"read", "^$"}});
    }
  }
  if (definitions.policies) {
    document["policies"] = policies_json(vhost, definitions.kind);
    document["parameters"] = vhost_limits_json(vhost);
  }
  for (const Topology& topology : definitions.topology) {
    add_topology(document, vhost, topology);
  }
  return document.dump(2) + "\n";
}

}  // namespace juggler::amqp
