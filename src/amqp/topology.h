#pragma once
// The exchanges and queues of Juggler as values. Their reasons: docs/protocol.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "amqp/connection.h"

namespace juggler::amqp {

inline constexpr const char* kSubmitExchange = "juggler.submit";
inline constexpr const char* kDispatchExchange = "juggler.dispatch";
inline constexpr const char* kUpExchange = "juggler.up";
inline constexpr const char* kControlExchange = "juggler.control";
inline constexpr const char* kUnrouted = "juggler.unrouted";  // exchange and queue
inline constexpr const char* kDead = "juggler.dead";          // exchange and queue
inline constexpr const char* kTasksQueue = "juggler.tasks";
inline constexpr const char* kResultsQueue = "juggler.results";
inline constexpr const char* kEventsQueue = "juggler.events";
inline constexpr const char* kDecidedQueue = "juggler.decided";
inline constexpr const char* kQueriesQueue = "juggler.queries";
inline constexpr const char* kEpochQueue = "juggler.epoch";

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

struct Topology {
  std::vector<ExchangeSpec> exchanges;
  std::vector<QueueSpec> queues;
  std::vector<BindingSpec> bindings;
};

// What every controller declares when it connects.
Topology fleet_topology();
// What a device needs; declared when it is enrolled.
Topology device_topology(const std::string& device);

std::string device_queue(std::string_view device);
std::string device_control_queue(std::string_view device);
// Lower-case letters, digits and hyphens: a dot would break routing keys and topic permissions.
bool is_device_id(std::string_view id);

// Declares all of it. Idempotent; a refusal closes the channel and names what was refused.
tl::expected<void, CallFailure> declare(Connection& connection, std::uint16_t channel,
                                        const Topology& topology);
// Declares one queue and returns the broker's answer: its name and what lies in it.
tl::expected<Reply, CallFailure> declare_queue(Connection& connection, std::uint16_t channel,
                                               const QueueSpec& queue);
// Asks for a queue without making it. 404 where there is none.
tl::expected<Reply, CallFailure> inspect_queue(Connection& connection, std::uint16_t channel,
                                               const std::string& queue);

}  // namespace juggler::amqp
