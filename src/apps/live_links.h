#pragma once
// The networks of a scenario's devices on one machine: between a twin and the broker stands a proxy
// (src/faults) that is as slow, as narrow and as lossy as the scenario says.

#include <map>
#include <memory>
#include <string>

#include "core/result.h"
#include "faults/tcp_proxy.h"
#include "sim/scenario.h"

namespace juggler {

// One direction of a network, half of the round trip, as the simulator has it (sim::link_of).
WayProfile way_of(const NetworkProfile& network);

class LiveLinks {
 public:
  // A link for each device that is not on the loopback. Those of an earlier run are closed.
  Result<void> open(const Scenario& scenario, int broker_port);

  // The broker's address for that device: its link's, where it has one.
  Result<std::string> through(const std::string& device, const std::string& url) const;

  // Devices of a scenario that have a network other than the loopback.
  static std::size_t needed(const Scenario& scenario);

 private:
  std::map<std::string, std::unique_ptr<TcpProxy>> links_;
};

}  // namespace juggler
