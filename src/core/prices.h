#pragma once
// Shadow prices: what a unit of a processor's time is worth to the tasks that could not have it.
//
// They are the dual prices of processor time in the fluid programme (docs/bounds.md), for the
// demand of the last seconds: each class of tasks takes its cheapest way to be served, energy plus
// price times time; a processor that more is asked of than it can do becomes dearer, one that has
// time left cheaper, until they agree (a projected subgradient method; its mean converges to the
// optimum). Not being served at all has its cost too, so that in overload prices rise until the
// time that a task takes decides, and throughput is what is maximised.
//
// Integers throughout: the same events give the same prices on every machine.

#include <cstdint>
#include <string>
#include <vector>

#include "core/candidates.h"

namespace juggler {

// What it costs that a task cannot be served at all: more than nearly any task's energy.
inline constexpr std::int64_t kUnservedUj = 500'000;

// Tasks that ask for the same, and how many of them come.
struct TaskClass {
  std::string model;
  std::int64_t accuracy_floor = 0;  // milli-percent
  int deadline_log2_us = 0;         // rounded down
  bool allow_synthetic = false;
  std::int64_t arrived = 0;   // since the last update
  std::int64_t rate_mhz = 0;  // in millihertz

  bool same(const TaskView& task, int deadline_log2) const;
};

class DemandBook {
 public:
  // requires  the task is new
  void arrived(const TaskView& task, Time now);
  // Works the rates out anew, from what has come since the last time.
  void update(Time now);

  const std::vector<TaskClass>& classes() const { return classes_; }

 private:
  static constexpr std::size_t kClassesMax = 32;  // what comes beyond counts for the last
  Time updated_;
  std::vector<TaskClass> classes_;
};

// Sets the prices of the fleet's processors for this demand.
void set_prices(const DemandBook& demand, Fleet& fleet);

}  // namespace juggler
