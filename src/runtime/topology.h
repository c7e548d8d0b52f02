#pragma once
// The exchanges and queues of Juggler as values, for whatever plays the broker's part: RabbitMQ
// (src/amqp declares them) or a simulated one. Their reasons: docs/protocol.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace juggler {

// Further names stand in wire/messages.h, beside the messages that go there.
// Each controller's own, so that what it hears is its own: `juggler.events.<unique>`.
inline constexpr const char* kEventsQueue = "juggler.events";
// Takes what devices say of themselves, and keeps none of it: while no controller hears it, it is
// not unrouted either.
inline constexpr const char* kHeardExchange = "juggler.heard";
inline constexpr const char* kEpochQueue = "juggler.epoch";
// With quorum queues, the lock: an exclusive queue, the leader's own.
inline constexpr const char* kLeaderQueue = "juggler.leader";
// Was the dead-letter exchange of queues that have it as their argument for good. See
// fleet_topology().
inline constexpr const char* kDeadExchange = "juggler.dead";
inline constexpr const char* kKeeperQueue = "juggler.keeper";  // questions to the keeper

struct Argument {
  std::string key;
  std::variant<bool, std::int64_t, std::string> value;
};

struct ExchangeSpec {
  std::string name;
  std::string type;
  std::vector<Argument> arguments;
};

struct QueueSpec {
  std::string name;  // empty: the broker chooses one
  std::vector<Argument> arguments;
  bool exclusive = false;  // exclusive queues are transient, all others durable
};

struct BindingSpec {
  std::string exchange;
  std::string queue;
  std::string key;
};

struct ExchangeBindingSpec {
  std::string source;
  std::string destination;  // an exchange
  std::string key;
};

struct Topology {
  std::vector<ExchangeSpec> exchanges = {};
  std::vector<QueueSpec> queues = {};
  std::vector<BindingSpec> bindings = {};
  std::vector<ExchangeBindingSpec> exchange_bindings = {};
  // An older version's, deleted where they are left.
  std::vector<std::string> retired_queues = {};
  std::vector<std::string> retired_exchanges = {};
};

// How the broker keeps the durable queues: each on one node, or each on a majority of a cluster.
enum class QueueKind { Classic, Quorum };

// What every controller declares when it connects.
Topology fleet_topology(QueueKind kind = QueueKind::Classic);
// What a device needs; declared when it is enrolled.
Topology device_topology(const std::string& device, QueueKind kind = QueueKind::Classic);

std::string device_queue(std::string_view device);
std::string device_control_queue(std::string_view device);

}  // namespace juggler
