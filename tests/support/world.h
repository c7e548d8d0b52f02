#pragma once
// A controller, its devices and a broker in virtual time, with faults drawn from a seed: a small
// stand-in for the simulator, for property tests. The state machines and the codec are the real
// ones.
//
// The broker has AMQP's semantics where promises depend on them: redelivery of what was not acked,
// confirms that come late and together, returned messages, expiry, the fate of publishes that were
// under way when a connection was lost. It has no prefetch and no memory limits.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/consumer.h"
#include "core/controller.h"
#include "core/rng.h"
#include "support/invariants.h"
#include "support/trace.h"
#include "wire/messages.h"

namespace juggler::test {

// What a run consists of. All of it follows from these numbers.
struct WorldPlan {
  std::uint64_t seed = 1;
  std::string policy = "juggler";
  int devices = 3;
  int tasks = 40;
  Micros load = seconds(10);  // tasks arrive in it
  int faults = 6;             // happen in it too
  // Clients send a task again under its id. Only without changes of the controller: a successor
  // does not know what was completed before it, once the broker has let go of task and result.
  bool client_retries = false;
  bool same_devices = false;  // all alike, and never slow
  Micros deadline_max = seconds(20);
  ControllerConfig config{};
};

// A driver that breaks a promise, to prove that the checks see it.
enum class PlantedBug { None, AcksEarly, ForgetsIds, NoAttemptDeadline };

class World {
 public:
  explicit World(WorldPlan plan, PlantedBug bug = PlantedBug::None);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Runs load and faults, then heals everything and waits for what the promises say.
  void run();

  std::string complaints() const;  // of safety and liveness; empty if all is well
  std::uint64_t digest() const { return digest_.value(); }
  std::size_t completed() const;
  std::map<std::string, Time> finished() const { return finished_; }  // completed tasks, by id
  const std::vector<std::string>& placements() const { return placements_; }

 private:
  struct Message {
    wire::Envelope envelope;
    bool redelivered = false;
    Time expires = Time::never();
  };
  struct Queue {
    std::deque<Message> ready;
  };
  // One connection with its channel: publishes go out in order, deliveries are remembered.
  struct Link {
    std::uint64_t incarnation = 0;
    bool up = false;
    std::uint64_t last_tag = 0;
    std::map<std::uint64_t, std::pair<std::string, Message>> unacked;  // with its queue
    std::vector<std::pair<PublishId, PublishEnd>> to_confirm;
    std::set<PublishId> in_flight;
    std::set<std::uint64_t> drained;  // incarnations whose last bytes arrived although they broke
    Time last_arrival;                // of a publish at the broker
    Time last_delivery;               // of a message here
    bool flush_planned = false;
  };
  struct Host;

  void at(Time when, std::function<void()> what);
  void settle_books();
  void build_devices();
  void plan_load();
  void plan_faults();
  void fault();
  void heal();

  // The broker.
  void publish(Link& link, PublishId id, wire::Envelope envelope);
  void arrive(Link& link, std::uint64_t incarnation, PublishId id, const wire::Envelope& envelope);
  std::string queue_for(const wire::Envelope& envelope) const;  // empty: no queue takes it
  void put(const std::string& queue, const wire::Envelope& envelope);
  void confirm(Link& link);
  void deliver(const std::string& queue);
  void ack(Link& link, DeliveryId delivery);
  // Returns the publishes whose fate nobody knows.
  std::vector<PublishId> cut(Link& link);
  void settle(Link& link, PublishId id, PublishEnd end);
  Host* host_of(const std::string& queue);
  void receive_answer(const wire::Envelope& envelope);

  // The controller's shell.
  void start_controller();
  void controller_up();
  void controller_down();
  void controller_died();
  void controller_step(const ControllerEvent& event);
  void controller_act(const ControllerAction& action);
  void controller_message(const std::string& queue, const Message& message, DeliveryId delivery);
  void browse_decided();
  wire::Body payload_of(const PayloadRef& payload) const;
  void wake_controller();

  // The devices' shells.
  void device_up(Host& host);
  void device_down(Host& host);
  void device_died(Host& host);
  void device_step(Host& host, const ConsumerEvent& event);
  void device_act(Host& host, const ConsumerAction& action);
  void device_message(Host& host, const Message& message, DeliveryId delivery, bool control);
  void run_batch(Host& host, const StartBatch& start);
  void wake_device(Host& host);

  WorldPlan plan_;
  PlantedBug bug_;
  // One for each concern: a change of load does not change the faults.
  Rng load_rng_;
  Rng fault_rng_;
  Rng network_rng_;
  Rng device_rng_;
  Time now_{};
  std::map<std::pair<Time, std::uint64_t>, std::function<void()>> agenda_;
  std::uint64_t last_entry_ = 0;

  std::map<std::string, Queue> queues_;
  std::set<std::string> enrolled_;
  std::set<std::string> gone_;  // reply queues whose client left
  Link controller_link_;
  std::unique_ptr<Controller> controller_;
  std::uint64_t controller_life_ = 0;
  std::int64_t epoch_ = 0;
  Time controller_wakes_ = Time::never();
  bool healed_ = false;
  std::uint64_t last_payload_ = 0;
  std::map<std::uint64_t, wire::Body> payloads_;
  std::uint64_t aside_ = std::uint64_t{1} << 63U;
  std::uint64_t submissions_ = 0;
  std::vector<std::unique_ptr<Host>> hosts_;

  InvariantChecker checker_;
  Digest digest_;
  std::set<std::string> accepted_;
  std::map<std::string, Outcome> answers_;
  std::map<std::string, Time> finished_;
  std::vector<std::string> placements_;
  std::vector<std::string> broken_;
};

}  // namespace juggler::test
