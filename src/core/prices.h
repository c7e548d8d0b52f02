#pragma once
// The shadow price of a processor: what a unit of its time is worth to the tasks that could not
// have it.
//
// Every task that comes asks for the way in which it would cost least if nobody were in its way: on
// that processor, as that variant, in a batch as full as its deadline allows, at the prices of the
// moment. What has been asked of a processor and not yet been served is its debt; the debt is its
// price. So a processor that more is asked of than it can do becomes dearer with every task, until
// tasks that have another good way ask there, and cheaper as time passes.
//
// This is the stochastic subgradient method for the dual of the fluid programme (docs/bounds.md),
// one step per task (drift plus penalty: Neely, "Stochastic Network Optimization", 2010, chapter
// 4). It needs no forecast, no classes of tasks and no solver, and follows a burst within a
// fraction of a second.
//
// Integers throughout: the same events give the same prices on every machine.

#include <cstdint>

#include "core/lane_costs.h"
#include "core/moving_mean.h"
#include "core/objective.h"
#include "core/units.h"

namespace juggler {

// What it is worth that a task is served at all: more than nearly any task's energy, and a fifth
// more for each step of priority. What would cost more is not asked for, which bounds the prices in
// overload; and a busy processor whose time is worth more to others is not given to the task: or
// small batches would take it, and fewer tasks would be served.
//
// Who weighs accuracy or latency counts what a task's answer falls short there as a cost: of these
// a hundred points and 50 ms are allowed for. Without that nothing was ever asked for under the
// goal `accuracy`, so that nothing had a price and a fleet at 60 % of its capacity served 44 % in
// time.
constexpr Microjoules worth_of(int priority, const ExchangeRates& rates) {
  return {500'000 + 100'000 * std::int64_t{priority} + 100 * rates.accuracy_uj_per_point +
          50 * rates.latency_mw};
}

class ShadowPrice {
 public:
  // `costs`: of the processor. Its power while it computes is the scale of its price.
  void set_scale(const LaneCosts& costs);

  // A task asks for so much of its time.
  void ask(Micros time, Time now);
  // Work takes so much more than was asked for it.
  void add(Micros time, Time now);

  // In mW: uJ for a millisecond.
  std::int64_t mw(Time now) const;
  // Whether so much more is asked of it than it can do that what it costs to compute there hardly
  // counts beside the price.
  bool scarce(Time now) const;
  // Whether it is worth nothing, now and until more is asked.
  bool nothing(Time now) const { return debt(now) == Micros{0}; }

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  Micros debt(Time now) const;
  std::int64_t powers_permille(Time now) const;  // the price, in units of its power

  std::int64_t power_mw_ = 0;
  MovingMean asks_;  // in microseconds
  Micros debt_;
  Time at_;  // when that was the debt
};

}  // namespace juggler
