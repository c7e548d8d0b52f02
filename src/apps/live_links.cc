#include "apps/live_links.h"

#include <algorithm>
#include <utility>

#include "amqp/session.h"
#include "sim/world.h"

namespace juggler {
namespace {

// A network that the loopback stands for as it is.
constexpr Micros kLoopbackRttMax = Micros{100};

bool on_loopback(const NetworkProfile& network) {
  return network.rtt <= kLoopbackRttMax && network.bandwidth_kbits == 0 && network.loss_ppm == 0;
}

}  // namespace

WayProfile way_of(const NetworkProfile& network) {
  const sim::PipeProfile pipe = sim::link_of(network).up;
  return {.latency = pipe.latency,
          .deviation = pipe.jitter,
          .bits_per_second = pipe.bits_per_second,
          .loss_per_million = pipe.loss_per_million};
}

std::size_t LiveLinks::needed(const Scenario& scenario) {
  return static_cast<std::size_t>(
      std::count_if(scenario.devices.begin(), scenario.devices.end(),
                    [](const ScenarioDevice& device) { return !on_loopback(device.network); }));
}

Result<void> LiveLinks::open(const Scenario& scenario, int broker_port) {
  links_.clear();
  for (std::size_t i = 0; i < scenario.devices.size(); ++i) {
    const ScenarioDevice& device = scenario.devices[i];
    if (on_loopback(device.network)) {
      continue;
    }
    Result<std::unique_ptr<TcpProxy>> link =
        TcpProxy::open({.target_port = broker_port, .seed = scenario.seed * 1000 + i + 1});
    if (!link) {
      return link.error();
    }
    (*link)->set(Direction::Up, way_of(device.network));
    (*link)->set(Direction::Down, way_of(device.network));
    links_[device.announced.id] = std::move(*link);
  }
  return {};
}

Result<std::string> LiveLinks::through(const std::string& device, const std::string& url) const {
  const auto at = links_.find(device);
  if (at == links_.end()) {
    return url;
  }
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(url);
  if (!broker) {
    return broker.error();
  }
  broker->port = at->second->port();
  return broker->text();
}

}  // namespace juggler
