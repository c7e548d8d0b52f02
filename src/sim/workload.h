#pragma once
// The arrivals of a scenario, drawn one by one: open loop, from their own random streams, so that
// every policy, fleet and fault sees the same ones. It knows nothing of what becomes of them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "sim/scenario.h"

namespace juggler {

class ArrivalStream;

struct Arrival {
  Time at;                   // from the start of the run
  std::size_t demand = 0;    // index into Scenario::classes
  std::uint64_t number = 0;  // from 0, over all classes

  friend bool operator==(const Arrival&, const Arrival&) = default;
};

// All classes' arrivals in the order of time, ties in the order of the classes. Holds a state per
// class, and for a trace its times; never the arrivals to come.
class Workload {
 public:
  // requires  rates in Hz (scale_rates)
  // errors    file, line and reason of a trace that cannot be read
  static Result<Workload> open(const Scenario& scenario);
  Workload(Workload&&) noexcept;
  Workload& operator=(Workload&&) noexcept;
  ~Workload();

  // Nothing once all classes are at their end.
  std::optional<Arrival> next();

 private:
  struct Class;
  Workload();
  void advance(Class& demand);

  std::vector<Class> classes_;
  std::uint64_t count_ = 0;
};

// The mean rate of a process over its own time, from its definition; 0 for a trace in its own time.
double mean_hz(const ArrivalProcess& arrivals);

// How many tasks a class is expected to send; as mean_hz().
double expected_tasks(const ArrivalProcess& arrivals);

}  // namespace juggler
