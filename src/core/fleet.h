#pragma once
// What the controller believes of its devices at this moment: facts, liveness, queues, networks.
// Policies read it; only the controller changes it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/device.h"
#include "core/lane.h"
#include "core/link.h"
#include "core/moving_mean.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

enum class Liveness {
  Live,
  Suspect,   // silent for longer than a few heartbeats: nothing new goes there
  Lost,      // silent for so long that its tasks go elsewhere; may be restarting
  Gone,      // silent for so long that nobody waits for its return
  Draining,  // finishes what it has, takes nothing new
};

std::string_view to_string(Liveness liveness);

struct DeviceState {
  std::shared_ptr<const DeviceFacts> facts;
  Liveness liveness = Liveness::Live;
  Time last_heard;
  std::optional<Bytes> memory_free;  // as of the last heartbeat
  Link link;                         // broker and wire
  std::vector<Lane> lanes;           // one per processor, in the order of the facts

  Micros network() const { return link.round_trip(); }
  Micros network_spread() const { return link.spread(); }

  // Until so many bytes are there, after what is on the way already.
  Micros way_of(std::int64_t bytes, Time now) const {
    return network() / 2 + link.transfer(link.queued(now) + bytes);
  }
  // What is in flight on one of its processors.
  Lane::Backlog backlog(const Lane& lane, Time now) const {
    return lane.backlog(now, network() / 2 + network_spread());
  }

  // What was learned of its network goes a step back to the assumption, if no result has confirmed
  // it for so long; likewise what was learned of its processors.
  void fade(Time now, Micros after);
};

struct Fleet {
  std::vector<DeviceState> devices;  // sorted by id
  ArrivalRate arrivals;              // of tasks, to all of them

  DeviceState* find(std::string_view id);
  const DeviceState* find(std::string_view id) const;
  // The device of that id, made if it is new.
  DeviceState& at_or_insert(std::string_view id);
  // Whether any open batch anywhere has a lower priority.
  bool has_work_below(int priority) const;
};

}  // namespace juggler
