#include "bounds/pricing.h"

#include <algorithm>

namespace juggler::bounds {
namespace {

// The price of a stretch of a lane's time, from sums over its cells.
class TimePrice {
 public:
  TimePrice(const Lane& lane, const std::vector<double>& cells) : cell_us_(lane.cell_us) {
    sums_.reserve(cells.size() + 1);
    double sum = 0.0;
    sums_.push_back(sum);
    for (const double cell : cells) {
      sum += cell * static_cast<double>(cell_us_);
      sums_.push_back(sum);
    }
  }

  double between(std::int64_t from_us, std::int64_t to_us) const {
    return until(to_us) - until(from_us);
  }

 private:
  double until(std::int64_t us) const {
    const std::int64_t cell = us / cell_us_;
    const auto last = static_cast<std::int64_t>(sums_.size()) - 1;
    if (cell >= last) {
      return sums_.back();  // beyond the last deadline, time is free
    }
    const auto at = static_cast<std::size_t>(cell);
    const double share = static_cast<double>(us - cell * cell_us_) / static_cast<double>(cell_us_);
    return sums_[at] + (sums_[at + 1] - sums_[at]) * share;
  }

  std::int64_t cell_us_;
  std::vector<double> sums_;
};

struct Start {
  std::int64_t us = 0;
  double price = 0.0;
};

// The cheapest start in [from, to] for `latency_us` of time. The price is linear between the points
// where the start or the end crosses a cell's edge; a slot lies within one cell, so that only the
// slot's ends and the end's crossing are left.
Start cheapest_start(const TimePrice& price, std::int64_t from, std::int64_t to,
                     std::int64_t latency_us, std::int64_t cell_us) {
  Start best{from, price.between(from, from + latency_us)};
  const auto consider = [&](std::int64_t start) {
    const double at = price.between(start, start + latency_us);
    if (at < best.price) {
      best = {start, at};
    }
  };
  consider(to);
  for (std::int64_t edge = ((from + latency_us) / cell_us + 1) * cell_us; edge < to + latency_us;
       edge += cell_us) {
    consider(edge - latency_us);
  }
  return best;
}

std::int64_t deadline_reach(const Timeline& timeline, const Lane& lane, const BatchKind& kind,
                            std::int64_t slot) {
  return slot * timeline.slot_us + kind.latency_us + lane.network_us;
}

// Takes the dearest tasks that may join, one batch full. False if there are too few.
bool fill(const Timeline& timeline, const Lane& lane, const BatchKind& kind, std::int64_t slot,
          const Prices& prices, const Waiting& waiting, std::vector<Pick>& picks, double& value) {
  const std::int64_t reach = deadline_reach(timeline, lane, kind, slot);
  std::int64_t left = kind.batch;
  picks.clear();
  value = 0.0;
  for (const std::uint32_t index : waiting) {
    const TaskSet& set = timeline.sets[index];
    if (((kind.serves >> set.demand) & 1U) == 0 || set.deadline_us < reach) {
      continue;
    }
    const std::int64_t taken = std::min(left, set.count);
    picks.push_back({index, taken});
    value += prices.task[index] * static_cast<double>(taken);
    left -= taken;
    if (left == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Prices no_prices(const Timeline& timeline) {
  Prices prices;
  prices.task.assign(timeline.sets.size(), 0.0);
  for (const Lane& lane : timeline.lanes) {
    prices.lane.emplace_back(static_cast<std::size_t>(timeline.cells(lane)), 0.0);
  }
  return prices;
}

bool may_join(const Timeline& timeline, const Lane& lane, const BatchKind& kind, std::int64_t slot,
              const TaskSet& set) {
  return ((kind.serves >> set.demand) & 1U) != 0 && set.first_slot <= slot &&
         set.deadline_us >= deadline_reach(timeline, lane, kind, slot);
}

void price_batches(const Timeline& timeline, const Prices& prices, const Scope& scope,
                   const Visit& visit) {
  std::vector<TimePrice> times;
  for (std::size_t l = 0; l < timeline.lanes.size(); ++l) {
    times.emplace_back(timeline.lanes[l], prices.lane[l]);
  }
  std::vector<std::uint32_t> open;
  std::size_t next = scope.sets_from;
  Waiting waiting;
  std::vector<Pick> picks;
  const std::int64_t slots_to = std::min(scope.slots_to, timeline.slots);
  for (std::int64_t slot = scope.slots_from; slot < slots_to;
       slot += slot < scope.thin_from ? 1 : scope.stride) {
    while (next < scope.sets_to && timeline.sets[next].first_slot <= slot) {
      open.push_back(static_cast<std::uint32_t>(next++));
    }
    const std::int64_t slot_start = slot * timeline.slot_us;
    std::erase_if(open, [&](std::uint32_t s) { return timeline.sets[s].deadline_us < slot_start; });
    waiting = open;
    std::sort(waiting.begin(), waiting.end(), [&](std::uint32_t a, std::uint32_t b) {
      return prices.task[a] != prices.task[b] ? prices.task[a] > prices.task[b] : a < b;
    });
    if (waiting.empty()) {
      continue;
    }
    for (std::uint32_t l = 0; l < timeline.lanes.size(); ++l) {
      const Lane& lane = timeline.lanes[l];
      for (std::uint32_t k = 0; k < lane.kinds.size(); ++k) {
        const BatchKind& kind = lane.kinds[k];
        double value = 0.0;
        if (!fill(timeline, lane, kind, slot, prices, waiting, picks, value)) {
          continue;
        }
        const Start start = cheapest_start(times[l], slot_start, slot_start + timeline.slot_us,
                                           kind.latency_us, lane.cell_us);
        visit({l, k, slot, start.us, value, kind.energy_uj + start.price, picks}, waiting);
      }
    }
  }
}

void make_feasible(const Timeline& timeline, Prices& prices) {
  std::vector<double> scale(prices.task.size(), 1.0);
  price_batches(timeline, prices, {0, timeline.slots, 0, timeline.sets.size()},
                [&](const PricedBatch& batch, const Waiting& waiting) {
                  if (batch.value <= batch.cost) {
                    return;
                  }
                  const Lane& lane = timeline.lanes[batch.lane];
                  const BatchKind& kind = lane.kinds[batch.kind];
                  const double last = prices.task[batch.picks.back().set];
                  for (const std::uint32_t s : waiting) {
                    // The most valuable batch with a task of this set: in place of the last pick,
                    // unless it is picked already.
                    const double value = batch.value - last + std::min(last, prices.task[s]);
                    if (value <= batch.cost) {
                      break;  // those behind it are worth even less
                    }
                    if (may_join(timeline, lane, kind, batch.slot, timeline.sets[s])) {
                      scale[s] = std::min(scale[s], std::max(0.0, batch.cost) / value);
                    }
                  }
                });
  for (std::size_t s = 0; s < scale.size(); ++s) {
    prices.task[s] *= scale[s];
  }
}

}  // namespace juggler::bounds
