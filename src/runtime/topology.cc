#include "runtime/topology.h"

#include <fmt/format.h>

#include "wire/messages.h"
#include "wire/models.h"

namespace juggler {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kWeekMs = kHourMs * 24 * 7;

Argument of(QueueKind kind) {
  return {"x-queue-type", std::string(kind == QueueKind::Quorum ? "quorum" : "classic")};
}
// A new leader reads all of it at once, and AMQP lets it have 65,535 messages unacknowledged.
constexpr std::int64_t decided_max(QueueKind kind) {
  return kind == QueueKind::Quorum ? 60'000 : 100'000;
}
Argument length_max(std::int64_t count) { return {"x-max-length", count}; }
Argument bytes_max(std::int64_t mib) { return {"x-max-length-bytes", mib << 20U}; }
Argument ttl(std::int64_t ms) { return {"x-message-ttl", ms}; }
Argument dead_letters() { return {"x-dead-letter-exchange", std::string(kDeadExchange)}; }
Argument overflow(const char* what) { return {"x-overflow", std::string(what)}; }

}  // namespace

Topology fleet_topology(QueueKind kind) {
  const Argument type = of(kind);
  Topology fleet;
  fleet.exchanges = {
      {wire::kSubmitExchange, "direct", {}},
      // No alternate exchange: a dispatch to a missing queue must come back.
      {wire::kDispatchExchange, "direct", {}},
      {wire::kUpExchange, "topic", {{"alternate-exchange", std::string(wire::kUnroutedExchange)}}},
      {wire::kControlExchange, "topic", {}},
      {kHeardExchange, "fanout", {}},
      {wire::kUnroutedExchange, "fanout", {}},
      {wire::kModelsExchange, "direct", {}},
  };
  fleet.queues = {
      {wire::kTasksQueue,
       {type, {"x-single-active-consumer", true}, dead_letters(), overflow("reject-publish")}},
      {wire::kResultsQueue, {type}},
      {wire::kDecidedQueue,
       {type, ttl(kHourMs), length_max(decided_max(kind)), bytes_max(128), overflow("drop-head")}},
      {kEpochQueue, {type}},
      {wire::kUnroutedExchange, {type, length_max(10'000), bytes_max(256)}},
      {wire::kDeadQueue, {type, length_max(10'000), bytes_max(256)}},
      // Not juggler.dead: whoever may publish something malformed could push histories out there.
      {wire::kFailedQueue, {type, length_max(10'000), bytes_max(256)}},
  };
  fleet.bindings = {
      {wire::kSubmitExchange, wire::kTasksQueue, wire::kTasksQueue},
      {wire::kUpExchange, wire::kResultsQueue, "result.*"},
      {wire::kUnroutedExchange, wire::kUnroutedExchange, ""},
  };
  fleet.exchange_bindings = {
      {wire::kUpExchange, kHeardExchange, "heartbeat.*"},
      {wire::kUpExchange, kHeardExchange, "hello.*"},
  };
  // Durable and read by nobody, it cost a broker as much as the queues that are read.
  fleet.retired_queues = {kEventsQueue};
  // The broker writes into the header x-death of what it dead-letters, and a queue whose message
  // brings a forged one dies of it, again and again. Without the exchange it drops what expires or
  // is rejected; the argument of queues that are there cannot be taken away.
  fleet.retired_exchanges = {kDeadExchange};
  return fleet;
}

Topology device_topology(const std::string& device, QueueKind kind) {
  const Argument type = of(kind);
  Topology topology;
  topology.queues = {
      {device_queue(device),
       {type, length_max(256), overflow("reject-publish"), dead_letters(), {"x-expires", kWeekMs}}},
      {device_control_queue(device), {type, length_max(100), ttl(30'000), {"x-expires", kWeekMs}}},
  };
  topology.bindings = {
      {wire::kDispatchExchange, device_queue(device), device},
      {wire::kControlExchange, device_control_queue(device), fmt::format("device.{}", device)},
      {wire::kControlExchange, device_control_queue(device), "all"},
  };
  return topology;
}

std::string device_queue(std::string_view device) {
  return fmt::format("juggler.device.{}", device);
}

std::string device_control_queue(std::string_view device) {
  return fmt::format("juggler.device.{}.control", device);
}

}  // namespace juggler
