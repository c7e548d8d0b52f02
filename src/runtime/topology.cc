#include "runtime/topology.h"

#include <fmt/format.h>

#include "wire/messages.h"
#include "wire/models.h"

namespace juggler {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kWeekMs = kHourMs * 24 * 7;

Argument classic() { return {"x-queue-type", std::string("classic")}; }
Argument length_max(std::int64_t count) { return {"x-max-length", count}; }
Argument bytes_max(std::int64_t mib) { return {"x-max-length-bytes", mib << 20U}; }
Argument ttl(std::int64_t ms) { return {"x-message-ttl", ms}; }
Argument dead_letters() { return {"x-dead-letter-exchange", std::string(wire::kDeadExchange)}; }
Argument overflow(const char* what) { return {"x-overflow", std::string(what)}; }

}  // namespace

Topology fleet_topology() {
  Topology fleet;
  fleet.exchanges = {
      {wire::kSubmitExchange, "direct", {}},
      // No alternate exchange: a dispatch to a missing queue must come back.
      {wire::kDispatchExchange, "direct", {}},
      {wire::kUpExchange, "topic", {{"alternate-exchange", std::string(wire::kUnroutedExchange)}}},
      {wire::kControlExchange, "topic", {}},
      {wire::kUnroutedExchange, "fanout", {}},
      {wire::kDeadExchange, "fanout", {}},
      {wire::kModelsExchange, "direct", {}},
  };
  fleet.queues = {
      {wire::kTasksQueue,
       {classic(), {"x-single-active-consumer", true}, dead_letters(), overflow("reject-publish")}},
      {wire::kResultsQueue, {classic()}},
      {kEventsQueue, {classic(), ttl(5'000), length_max(10'000)}},
      {wire::kDecidedQueue,
       {classic(), ttl(kHourMs), length_max(100'000), bytes_max(128), overflow("drop-head")}},
      {kEpochQueue, {classic()}},
      {wire::kUnroutedExchange, {classic(), length_max(10'000), bytes_max(256)}},
      {wire::kDeadExchange, {classic(), length_max(10'000), bytes_max(256)}},
  };
  fleet.bindings = {
      {wire::kSubmitExchange, wire::kTasksQueue, wire::kTasksQueue},
      {wire::kUpExchange, wire::kResultsQueue, "result.*"},
      {wire::kUpExchange, kEventsQueue, "heartbeat.*"},
      {wire::kUpExchange, kEventsQueue, "hello.*"},
      {wire::kUnroutedExchange, wire::kUnroutedExchange, ""},
      {wire::kDeadExchange, wire::kDeadExchange, ""},
  };
  return fleet;
}

Topology device_topology(const std::string& device) {
  Topology topology;
  topology.queues = {
      {device_queue(device),
       {classic(),
        length_max(256),
        overflow("reject-publish"),
        dead_letters(),
        {"x-expires", kWeekMs}}},
      {device_control_queue(device),
       {classic(), length_max(100), ttl(30'000), {"x-expires", kWeekMs}}},
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
