#pragma once
// A private fleet for live runs, as `juggler up` has one: RabbitMQ, the controller, and a twin for
// each device of a scenario, behind its network, as processes of the person who runs it, in a
// folder that is removed.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "amqp/private_broker.h"
#include "apps/live_links.h"
#include "apps/supervisor.h"
#include "core/result.h"
#include "runtime/clock.h"
#include "sim/scenario.h"

namespace juggler {

struct LiveFleetOptions {
  std::string policy;                                                         // with its goal
  std::function<void(const std::string& who, const std::string& what)> tell;  // for people
  std::function<bool()> stop;  // true: give up waiting
};

class LiveFleet {
 public:
  explicit LiveFleet(LiveFleetOptions options);
  ~LiveFleet();  // ends all of it, the twins first
  LiveFleet(const LiveFleet&) = delete;
  LiveFleet& operator=(const LiveFleet&) = delete;

  // The folder and the broker in it, with a login for each device of the scenario.
  //
  // thread  of all of this class: the one that lives as long as the fleet shall
  Result<void> open(const Scenario& scenario);

  // A new controller and new twins, which know nothing yet, as at the start of a simulation; those
  // of the last run end. Returns when all have joined and have been there for as long as the
  // simulator's have before its load.
  Result<void> begin(const Scenario& scenario);

  // What has ended since it was last asked. A run in which something did is none.
  std::vector<std::string> troubles();

  std::string address() const { return broker_->url_for_submitter(); }
  // Keeps the folder with the logs, and says where it is.
  std::string keep();

 private:
  Result<void> start_controller(const Scenario& scenario);
  Result<void> start_twin(const Scenario& scenario, std::size_t device);
  Result<void> await_all(const Scenario& scenario);
  std::filesystem::path log(const std::string& name) const { return folder_ / (name + ".log"); }

  LiveFleetOptions options_;
  SystemClock clock_;
  std::filesystem::path folder_;  // empty: not made yet
  bool kept_ = false;
  std::optional<amqp::PrivateBroker> broker_;  // outlives the children
  LiveLinks links_;                            // outlive them too
  std::optional<Supervisor> supervisor_;
  std::string program_;
  std::string consumer_;
};

}  // namespace juggler
