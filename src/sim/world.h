#pragma once
// A whole run in virtual time: controllers, devices and clients around a broker, with what is asked
// of them and what goes wrong. One thread, one seed: the same options give the same run anywhere.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/controller.h"
#include "core/digest.h"
#include "sim/agenda.h"
#include "sim/broker.h"
#include "sim/checker.h"
#include "sim/client.h"
#include "sim/machines.h"
#include "sim/metrics.h"
#include "sim/scenario.h"
#include "sim/workload.h"

namespace juggler::sim {

// The next arrival: when and of which class, in the order of time; nothing at the end.
using ArrivalSource = std::function<std::optional<std::pair<Time, std::size_t>>()>;

// What a run does beside the scenario.
struct WorldOptions {
  std::uint64_t seed = 1;  // of everything but the arrivals, which bring their own
  std::string policy = "juggler";
  // Another policy than one of that name; may be empty.
  std::function<std::unique_ptr<Policy>()> make_policy{};
  ArrivalSource arrivals;

  // What the fleet gets before the scenario's time 0, so that it is up, as a live one is.
  Micros lead_in = seconds(5);

  int standbys = 0;  // controllers beside the first
  int clients = 1;
  int flood = 0;  // of so many tasks one is not the first client's; 0: all clients have as many
  LinkProfile controller_link = symmetric({.latency = Micros{50}, .jitter = Micros{10}});
  LinkProfile client_link = symmetric({.latency = Micros{50}, .jitter = Micros{10}});
  BrokerProfile broker;
  ClientOptions client_habits;  // its name, link and seed are set by the world

  bool controllers_stay = false;  // no random fault ends a controller, or its lead
  int random_cuts = 0;  // beside the scenario's random faults: of controllers and of clients

  bool check = true;   // the invariants, at every step
  bool digest = true;  // of every event and action
  bool trace = false;  // every event and action as text on stderr
  bool time_decisions = false;
  // Sees each step of every controller: where tests plant bugs. The checks are told of the event as
  // it came, and of the actions as they are left.
  ControllerObserver* meddler = nullptr;
  ConsumerObserver* device_meddler = nullptr;
  // Told of each step of every controller, by number, with the controller as it is after it.
  std::function<void(std::size_t who, const Controller& controller, Time now,
                     const ControllerEvent& event, std::span<const ControllerAction> actions)>
      watch{};
};

// A scenario's own arrivals.
ArrivalSource arrivals_of(Workload workload);

class FaultPlan;

class World {
 public:
  // requires  rates in Hz; `scenario` outlives the world
  World(const Scenario& scenario, WorldOptions options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Runs the load with its faults, then lets what is open be answered.
  RunResult run();

  Agenda& agenda() { return agenda_; }
  Broker& broker() { return broker_; }
  const Scenario& scenario() const { return scenario_; }
  const WorldOptions& options() const { return options_; }
  Time origin() const { return Time{} + options_.lead_in; }  // the scenario's time 0
  std::vector<std::unique_ptr<ControllerMachine>>& controllers() { return controllers_; }
  std::vector<std::unique_ptr<DeviceMachine>>& devices() { return devices_; }
  std::vector<std::unique_ptr<ClientMachine>>& clients() { return clients_; }
  void controller_died(std::size_t who);  // just before its machine forgets it
  // When the outcome of each task came, completed ones only; for tests of small worlds.
  void on_outcome(const std::function<void(std::uint64_t, const Outcome&)>& told);

 private:
  class ControllerEye;
  class DeviceEye;
  class Arrivals;

  void build();
  Time settled_by() const;
  bool quiet() const;
  ClientMachine& client_of(std::uint64_t task);
  void settle_books();
  void result_of_machines(RunResult& result) const;

  const Scenario& scenario_;
  WorldOptions options_;
  Agenda agenda_;
  PowerTrack power_;
  Broker broker_;
  Metrics metrics_;
  Digest digest_;
  std::unique_ptr<InvariantChecker> checker_;
  TimeHistogram decisions_;
  std::vector<std::unique_ptr<ControllerEye>> controller_eyes_;
  std::vector<std::unique_ptr<DeviceEye>> device_eyes_;
  std::vector<std::unique_ptr<ControllerMachine>> controllers_;
  std::vector<std::unique_ptr<DeviceMachine>> devices_;
  std::vector<std::unique_ptr<ClientMachine>> clients_;
  std::unique_ptr<Arrivals> arrivals_;
  std::unique_ptr<FaultPlan> faults_;
  ControllerStats stats_of_the_dead_;
  std::vector<std::string> complaints_;
};

// A stream of random numbers of its own for each concern, all from one seed. The numbers are part
// of what a seed means: another one is another run.
enum class Stream : std::uint64_t {
  Load = 0,
  Broker = 1,
  Device = 3,
  Controller = 4,
  Client = 5,
  Faults = 6,
  Policy = 7,
};
std::uint64_t seed_of(std::uint64_t seed, Stream stream, std::uint64_t index = 0);

// What a scenario's classes promise, for the books: deadlines and floors with the defaults filled
// in.
std::vector<MetricsClass> metrics_classes(const Scenario& scenario);

// What a message takes on a device's connection: four hops at 4,300 tasks/s, the most that a broker
// on two processors was seen to carry (docs/performance.md#round-trip). The connections of
// controllers and clients carry all tasks, and stand for as many as are needed: they have none.
inline constexpr Micros kDeviceMessage{60};

// A device's network as a link: half its round trip each way.
LinkProfile link_of(const NetworkProfile& profile);

}  // namespace juggler::sim
