#pragma once
// What the controller believes of its devices at this moment: facts, liveness, queues, networks.
// Policies read it; only the controller changes it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/breaker.h"
#include "core/change_log.h"
#include "core/device.h"
#include "core/host_sample.h"
#include "core/lane.h"
#include "core/link.h"
#include "core/moving_mean.h"
#include "core/pulse.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

enum class Liveness {
  Live,
  Joining,   // its queues are not there yet: nothing would arrive
  Suspect,   // silent for longer than a few heartbeats: nothing new goes there
  Lost,      // silent for so long that its tasks go elsewhere; may be restarting
  Gone,      // silent for so long that nobody waits for its return
  Draining,  // finishes what it has, takes nothing new
  Aside,     // failed again and again: nothing goes there but a probe, after a pause
};

std::string_view to_string(Liveness liveness);

struct DeviceState {
  std::shared_ptr<const DeviceFacts> facts;
  Liveness liveness = Liveness::Live;
  Time last_heard;
  Time enrol_asked;  // when its queues were last asked for
  Pulse pulse;
  Breaker breaker;
  std::optional<Bytes> memory_free;  // as of the last heartbeat
  bool battery_low = false;          // likewise: it runs on what it wants to keep
  HostSample host;                   // likewise, for people: no decision reads it
  LinkLearning link;                 // broker and wire
  std::vector<Lane> lanes;           // one per processor, in the order of the facts

  Micros network() const { return link.believed().round_trip; }
  Micros network_spread() const { return link.believed().spread; }

  // Until so many bytes are there, after what is on the way already.
  Micros way_of(std::int64_t bytes, Time now) const {
    return network() / 2 + link.believed().busy(now) + link.believed().pace.transfer(bytes);
  }
  // How long a result may be on its way.
  Micros way_back() const { return network() / 2 + network_spread(); }
  // What is in flight on one of its processors.
  Lane::Backlog backlog(const Lane& lane, Time now) const {
    return lane.backlog(now, way_back(), slowdown_permille(lane));
  }

  // How much longer batches take on one of its processors because of those of the others that have
  // work, in flight or in line.
  std::int64_t slowdown_permille(const Lane& lane) const;
  // The same if all others had work.
  std::int64_t slowdown_permille_max(const Lane& lane) const;

  // What the whole board takes at rest, at its input; nothing once nobody waits for its return.
  Milliwatts power_at_rest() const;

  // What was learned of its network goes a step back to the assumption, if no result has confirmed
  // it for so long; likewise what was learned of its processors.
  void fade(Time now, Micros after);
  // Whether that changes anything.
  bool fades(Time now, Micros after) const;
};

// Tells one table from another, also where a later one lies at the same address. Copies differ.
class Identity {
 public:
  Identity() : mark_(std::make_shared<const char>()) {}
  Identity(const Identity& /*other*/) : Identity() {}
  Identity& operator=(const Identity& other) {
    if (this != &other) {
      mark_ = std::make_shared<const char>();
    }
    return *this;
  }
  Identity(Identity&&) = default;
  Identity& operator=(Identity&&) = default;
  ~Identity() = default;

  // The same table, which keeps its mark for as long as somebody holds it.
  using Mark = std::shared_ptr<const char>;
  const Mark& mark() const { return mark_; }

 private:
  Mark mark_;
};

// The devices, sorted by id. Whoever wants to change one says so, since decisions keep indices over
// all of them (core/lane_table.h), and each looks only at what has changed since the last.
class Fleet {
 public:
  ArrivalRate arrivals;  // of tasks, to all devices

  const std::vector<DeviceState>& devices() const { return devices_; }
  const DeviceState* find(std::string_view id) const;

  // A device to be changed: before the next decision, or it is to be asked for again.
  DeviceState& change(std::size_t position);
  DeviceState* find_to_change(std::string_view id);
  // The device of that id, made if it is new; its facts and processors may be changed, too.
  DeviceState& at_or_insert(std::string_view id);
  void erase(std::string_view id);
  // What no decision reads, and so changes nothing for them.
  void heard(const DeviceState& device, Time now);
  void set_host(const DeviceState& device, const HostSample& host);
  Breaker& breaker(const DeviceState& device) { return devices_[position_of(device)].breaker; }
  Pulse& pulse(const DeviceState& device) { return devices_[position_of(device)].pulse; }
  void set_wake(const DeviceState& device, std::size_t lane, Time wake);

  // Replaces all devices by these, which are sorted by id.
  void take_up(std::vector<DeviceState> devices);

  // Whether any open batch anywhere has a lower priority.
  bool has_work_below(int priority) const;

  const ChangeLog& changes() const { return changes_; }
  const Identity& identity() const { return identity_; }

 private:
  std::vector<DeviceState> devices_;
  ChangeLog changes_;  // of positions
  Identity identity_;

  std::size_t position_of(const DeviceState& device) const {
    return static_cast<std::size_t>(&device - devices_.data());
  }
};

}  // namespace juggler
