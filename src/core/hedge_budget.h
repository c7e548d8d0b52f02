#pragma once
// How many tasks may be tried elsewhere because their device is late. A slow device is worth a
// second attempt; where many devices are late at once the cause is what they share (broker,
// network), and a second attempt of each doubles the load that made them late, for good. So
// hedges are at most a tenth of what is dispatched, and a burst.
// Source: Dean and Barroso, The Tail at Scale, 2013: hedged requests as a bounded share of the
// load.

#include <algorithm>

namespace juggler {

class HedgeBudget {
 public:
  static constexpr int kBurstMax = 20;
  static constexpr int kDispatchesPerHedge = 10;

  void dispatched() { credit_ = std::min(credit_ + 1, kBurstMax * kDispatchesPerHedge); }
  bool may_hedge() const { return credit_ >= kDispatchesPerHedge; }
  void hedged() { credit_ -= kDispatchesPerHedge; }

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  int credit_ = kBurstMax * kDispatchesPerHedge;  // in dispatches
};

}  // namespace juggler
