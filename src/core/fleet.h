#pragma once
// What the controller believes of its devices at this moment: facts, liveness, queues, networks.
// Policies read it; only the controller changes it.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/device.h"
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

// A running mean that follows a drifting quantity. Integers, so that every machine agrees.
class MovingMean {
 public:
  void add(std::int64_t sample) {
    mean_ = samples_ == 0 ? sample : mean_ + (sample - mean_) / kWindow;
    samples_ += 1;
  }
  std::int64_t mean() const { return mean_; }
  // Moves a part of the way to `target`, for want of samples.
  void fade(std::int64_t target) { mean_ += (target - mean_) / kWindow; }
  std::int64_t samples() const { return samples_; }

 private:
  static constexpr std::int64_t kWindow = 8;  // an old sample's weight falls to 1/e in 8 samples
  std::int64_t mean_ = 0;
  std::int64_t samples_ = 0;
};

// One task on its way to, or on, a processor.
struct InFlight {
  AttemptId attempt;
  Micros expected;  // compute time predicted for it
};

// A waiting task that counts on a processor: what precedes a later one in its line.
struct Reservation {
  std::uint64_t task = 0;  // the controller's own number of the task
  int priority = 0;
  Time deadline;
  Micros expected;
};

// Whether a task of (priority, deadline, number) goes before another: the one order of all queues.
bool precedes(int priority_a, Time deadline_a, std::uint64_t a, int priority_b, Time deadline_b,
              std::uint64_t b);

// Measured over predicted latency per profile of a processor, in permille: 1000 is as predicted.
using Corrections = std::vector<std::int64_t>;

// The state of one processor.
struct Lane {
  std::deque<InFlight> in_flight;                  // in the order of dispatch
  Time head_since;                                 // when the first of them can have begun
  std::vector<Reservation> reservations;           // of tasks that wait for it, in no order
  std::shared_ptr<const Corrections> corrections;  // replaced, never changed: decisions keep them
  std::uint64_t completed = 0;

  // When it is predicted to have finished what is in flight.
  Time free_at(Time now) const;

  // Learns from one result: what a profile predicted and what was measured.
  void correct(std::size_t profile, Micros predicted, Micros measured);
};

struct DeviceState {
  std::shared_ptr<const DeviceFacts> facts;
  Liveness liveness = Liveness::Live;
  Time last_heard;
  std::optional<Bytes> memory_free;  // as of the last heartbeat
  MovingMean network_us;             // broker and wire, both ways, from results
  std::vector<Lane> lanes;           // one per processor, in the order of the facts

  Time learned;  // when the last result taught something

  // Both ways; a default until there are samples.
  Micros network() const;

  // Goes a step back to what the profile says. What was learned can keep every task away, and then
  // no result would ever correct it: a device that was slow once must get another chance.
  void fade();
};

struct Fleet {
  std::vector<DeviceState> devices;  // sorted by id

  DeviceState* find(std::string_view id);
  const DeviceState* find(std::string_view id) const;
  // The device of that id, made if it is new.
  DeviceState& at_or_insert(std::string_view id);
};

// The assumption before the first result: four durable hops on a wired LAN, measured on loopback as
// 0.9-1.2 ms plus twice 0.5 ms of wire (docs/performance.md).
inline constexpr Micros kNetworkDefault = milliseconds(3);

}  // namespace juggler
