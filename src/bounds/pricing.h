#pragma once
// Prices of the hindsight programme, and the check of every possible batch against them.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "bounds/timeline.h"

namespace juggler::bounds {

struct Prices {
  std::vector<double> task;               // microjoules per task, by set
  std::vector<std::vector<double>> lane;  // microjoules per microsecond, by lane and cell
};

Prices no_prices(const Timeline& timeline);

// How many tasks of which set.
struct Pick {
  std::uint32_t set = 0;
  std::int64_t count = 0;
};

// The most valuable batch of one kind that can start in one slot.
struct PricedBatch {
  std::uint32_t lane = 0;
  std::uint32_t kind = 0;
  std::int64_t slot = 0;
  std::int64_t start_us = 0;  // within the slot, where its time is cheapest
  double value = 0.0;         // what its tasks are worth
  double cost = 0.0;          // energy and priced time
  std::span<const Pick> picks;
};

// The sets that may be in a batch that starts in one slot, dearest first.
using Waiting = std::vector<std::uint32_t>;

// Half-open ranges of slots to start in, and of sets to choose from.
struct Scope {
  std::int64_t slots_from = 0;
  std::int64_t slots_to = 0;
  std::size_t sets_from = 0;
  std::size_t sets_to = 0;
  std::int64_t thin_from = INT64_MAX;  // from this slot on, only every `stride`-th
  std::int64_t stride = 1;
};

// Visits, for every slot, lane and kind, the most valuable batch. `waiting` are the sets it chose
// from, before what the kind allows.
using Visit = std::function<void(const PricedBatch& batch, const Waiting& waiting)>;
void price_batches(const Timeline& timeline, const Prices& prices, const Scope& scope,
                   const Visit& visit);

// Whether a task of `set` may be in a batch of `kind` that starts in `slot`.
bool may_join(const Timeline& timeline, const Lane& lane, const BatchKind& kind, std::int64_t slot,
              const TaskSet& set);

// Lowers task prices until no batch holds more than it costs.
//
// Each set's price is multiplied by the smallest ratio of cost to value among the batches with it
// that are too valuable. Such a batch then holds at most value x ratio <= cost.
void make_feasible(const Timeline& timeline, Prices& prices);

}  // namespace juggler::bounds
