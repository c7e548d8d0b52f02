// The sessions that Juggler has, as values. Their order is explained in docs/protocol.md.
#include "runtime/session.h"

#include <utility>

#include "core/task_table.h"
#include "runtime/topology.h"
#include "wire/messages.h"

namespace juggler {

SessionPlan controller_plan(std::string instance, bool standby) {
  // The tasks that the controller serves, and each once more: clients that come back ask for all
  // that they have open. Those beyond are there to be refused: left in the queue behind tasks that
  // wait for long, they would be told nothing.
  constexpr int kTasksPrefetch = static_cast<int>(kTasksMax + kJoinedMax) + 1'024;
  SessionPlan spec;
  spec.connection_name = std::move(instance);
  spec.role = SessionRole::Controller;
  spec.declare_topology = true;
  spec.take_epoch = true;
  // There are few of them, and while none leads nothing is answered.
  spec.reconnect_max = seconds(2);
  // A leader that hangs is followed within 6 s: its lock is free after 4 to 6.
  spec.heartbeat_s = 2;
  spec.lead_patience = standby ? seconds(1) : Micros{};

  // A queue of its own for each controller, read before it leads: its view of the fleet is warm.
  Subscription events;
  events.queue = kEventsQueue;
  events.prefetch = 0;
  events.no_ack = true;
  events.own = {.wanted = true,
                .unique_name = true,
                .message_ttl_ms = 5'000,
                .length_max = 10'000,
                .bytes_max = mebibytes(64),
                .bindings = {{wire::kUpExchange, "heartbeat.*"}, {wire::kUpExchange, "hello.*"}}};

  // The lock. No bound: results wait unacknowledged for tasks that come only after them.
  Subscription results;
  results.queue = wire::kResultsQueue;
  results.prefetch = 0;
  results.exclusive = true;
  results.drain_first = true;

  // Read and put back: held unacknowledged, the broker would close the channel after its
  // consumer_timeout, and the queue's own limits would count none of it.
  Subscription decided;
  decided.queue = wire::kDecidedQueue;
  decided.prefetch = 0;
  decided.browse = true;

  Subscription queries;
  queries.queue = wire::kQueriesQueue;
  queries.prefetch = 64;
  queries.own = {.wanted = true,
                 .message_ttl_ms = 30'000,
                 .length_max = 1'000,
                 .bytes_max = mebibytes(16),
                 .bindings = {{wire::kSubmitExchange, wire::kQueriesQueue}}};

  Subscription tasks;
  tasks.queue = wire::kTasksQueue;
  tasks.prefetch = kTasksPrefetch;

  spec.subscriptions = {events, results, decided, queries, tasks};
  // A lead begins when nothing is left to read but tasks. Results wait for theirs until these have
  // come, too (task_marks.h).
  spec.announce_after = 4;
  return spec;
}

SessionPlan device_plan(const std::string& device, std::int64_t incarnation, int dispatches_max) {
  SessionPlan spec;
  spec.connection_name = "device " + device;
  spec.role = SessionRole::Device;
  Subscription work;
  work.queue = device_queue(device);
  work.prefetch = dispatches_max;
  work.priority = incarnation;
  Subscription control;
  control.queue = device_control_queue(device);
  control.prefetch = 0;
  control.no_ack = true;  // what is said there is said again while it holds
  control.priority = incarnation;
  spec.subscriptions = {work, control};
  return spec;
}

SessionPlan client_plan(std::string name) {
  SessionPlan spec;
  spec.connection_name = std::move(name);
  spec.reply_queue = true;
  return spec;
}

}  // namespace juggler
