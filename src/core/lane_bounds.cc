#include "core/lane_bounds.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace juggler {
namespace {

// Bounds that count a price hold for a while, since a price only falls until more is asked: the
// longer, the further below the truth they are, and the more processors are looked at in vain; the
// shorter, the more of them are worked out anew for each task. Both are about as much work where
// they hold while twice as many tasks come as the root of the number of processors. In 20 ms a
// price falls by a fifth of the debt at which it is what computing costs (core/prices.h).
constexpr Micros kHoldsMin{100};
constexpr Micros kHoldsMax = milliseconds(20);

// Longer than anything takes: 36 years.
constexpr int kTimeBitsMax = 50;
// So many powers of two of expected tasks are told apart: beyond, every planned batch is full.
constexpr int kComeBitsMax = 17;
static_assert((std::int64_t{1} << kComeBitsMax) / 1000 > kPlannedBatchMax);

Bound least(const Bound& a, const Bound& b) {
  Bound bound = b.cost < a.cost || (b.cost == a.cost && b.finish < a.finish) ? b : a;
  bound.ask = std::min(a.ask, b.ask);
  return bound;
}

std::int64_t most(int bits) { return (std::int64_t{1} << bits) - 1; }

// As a batch is corrected, but of a share, which may be less than a microsecond.
Micros scaled(Micros share, std::int64_t permille, int tasks) {
  return std::min(share * permille / 1000, kMeanMax / tasks);
}

// The least share of who joins one of the open batches of the profile.
void add_joining(const LaneState& lane, std::size_t profile, const Objective& objective,
                 Offer& offer) {
  const ProfileCosts& costs = (*lane.costs)[profile];
  for (const OpenBatch& batch : *lane.line) {
    if (batch.profile != profile || batch.tasks >= costs.batch_max()) {
      continue;
    }
    const BatchCost& before = costs.of(batch.tasks);
    const BatchCost& grown = costs.of(batch.tasks + 1);
    const bool known = before.energy.has_value() && grown.energy.has_value();
    std::int64_t cost = known ? 0 : kEnergyUnknown;
    if (known && objective.energy) {
      cost += std::max<std::int64_t>(grown.energy->count - before.energy->count, 0);
    }
    Micros takes = corrected(grown, *lane.learned, profile, kSlowdownMin).mean -
                   corrected(before, *lane.learned, profile, kSlowdownMin).mean;
    if (takes < Micros{0}) {  // the cheaper, the higher the price is: not a bound
      takes = Micros{0};
      cost = -kEnergyUnknown;
    }
    const bool first = offer.joining == kNoBound;
    offer.joining = std::min(offer.joining, cost);
    offer.joining_takes = first ? takes : std::min(offer.joining_takes, takes);
  }
}

// When a batch finishes at the earliest, from now.
Micros earliest_finish(const LaneState& lane, std::size_t profile) {
  const Micros network = lane.network();
  const BatchCost alone =
      corrected((*lane.costs)[profile].of(1), *lane.learned, profile, kSlowdownMin);
  const std::int64_t way = lane.link.spread.count;
  return network + alone.takes() + margin_of(way * way + alone.variance_us2(), kPlanZPermille);
}

}  // namespace

TaskKind kind_of(const TaskView& task, MilliPercent floor, Time now, std::int64_t arrival_gap_us) {
  const auto bits = [](std::int64_t count, int max) {
    return std::min(static_cast<int>(std::bit_width(static_cast<std::uint64_t>(count))), max);
  };
  const std::int64_t time_us = std::max<std::int64_t>((task.deadline - now).count, 0);
  return {.model = task.model,
          .allow_synthetic = task.allow_synthetic,
          .needs_name = needs_name(task.payload),
          .floor = floor,
          .deadline_stated = task.deadline_stated,
          .time_bits = bits(time_us, kTimeBitsMax),
          .come_bits = bits(time_us / arrival_gap_us, kComeBitsMax)};
}

std::optional<Offer> offer_of(const LaneState& lane, std::size_t profile, const BoundTerms& terms) {
  const ProfileCosts& costs = (*lane.costs)[profile];
  const Objective& objective = terms.objective;
  const std::int64_t permille = lane.learned->correction(profile);
  const Micros alone = scaled(costs.of(1).mean, permille, 1);  // any batch takes that at least
  if (alone + lane.network() > terms.time) {
    return std::nullopt;
  }
  const auto at_most = [&costs](std::int64_t tasks) {
    return static_cast<int>(std::min<std::int64_t>(tasks, costs.batch_max()));
  };
  const std::int64_t accuracy = objective.rates.accuracy_uj_per_point *
                                (100'000 - lane.variant_of(profile).accuracy.count) / 1000;
  Offer offer;
  offer.profile = static_cast<std::uint32_t>(profile);
  offer.finish = earliest_finish(lane, profile);

  // A new batch, as large as it can become by its deadline.
  const std::int64_t fill = lane.learned->profiles[profile].fill_permille();
  const bool planned = objective.batching == Batching::Planned;
  const int hoped = planned ? at_most(1 + terms.come * fill / 1000) : 1;
  const LeastShare& opening = costs.least[static_cast<std::size_t>(hoped - 1)];
  offer.opening =
      (opening.energy_known ? 0 : kEnergyUnknown) + (objective.energy ? opening.energy.count : 0);
  offer.opening_takes = scaled(opening.mean, permille, hoped);
  if (objective.batching != Batching::Never) {
    add_joining(lane, profile, objective, offer);
  }
  const std::int64_t latency_mw =
      terms.deadline_stated ? objective.rates.latency_mw
                            : std::max(objective.rates.latency_mw, objective.rates.holding_mw);
  const std::int64_t beside = accuracy + latency_mw * (alone + lane.network()).count / 1000;
  offer.opening += beside;
  offer.joining += offer.joining == kNoBound ? 0 : beside;
  if (!objective.prices) {
    offer.opening_takes = offer.joining_takes = Micros{0};
  }

  // What it would ask for: of its time half for others to come, half for the batch.
  int full = at_most(1 + terms.come / 2);
  while (full > 1 && costs.of(full).mean * 2 > terms.time) {
    full -= 1;
  }
  const LeastShare& asking = costs.least[static_cast<std::size_t>(full - 1)];
  offer.asking = accuracy + objective.rates.latency_mw * alone.count / 1000 +
                 (objective.energy ? asking.energy.count : 0);
  offer.asking_takes = scaled(asking.mean, permille, full);
  return offer;
}

Bound Offer::at(std::int64_t price_mw) const {
  Bound bound{.finish = finish};
  bound.cost = opening + price_mw * opening_takes.count / 1000;
  if (joining != kNoBound) {
    bound.cost = std::min(bound.cost, joining + price_mw * joining_takes.count / 1000);
  }
  bound.ask = asking + price_mw * asking_takes.count / 1000;
  return bound;
}

// How long the bound of a processor holds. Unlike long, so that not all end at once.
Micros LaneBounds::holds(const Question& question, std::size_t position) const {
  const int root_bits = static_cast<int>(std::bit_width(lanes_.size())) / 2 + 1;
  const std::int64_t gap_us = std::min(question.outlook.arrival_gap_us, kHoldsMax.count);
  const Micros most = std::clamp(Micros{gap_us << root_bits}, kHoldsMin, kHoldsMax);
  return most / 2 + most / 32 * static_cast<std::int64_t>(position % 16);
}

void LaneBounds::set_leaf(std::size_t position, const Bound& bound) {
  std::size_t node = leaves() + position;
  nodes_[node] = bound;
  while (node > 1) {
    node /= 2;
    const Bound both = least(nodes_[node * 2], nodes_[node * 2 + 1]);
    if (both == nodes_[node]) {
      return;
    }
    nodes_[node] = both;
  }
}

// The bound of a processor is to be worked out anew when it holds no longer.
void LaneBounds::wait_for(std::size_t position) {
  Lane& lane = lanes_[position];
  lane.falls_until = lane.valid_until;
  falling_.push_back({lane.valid_until, static_cast<std::uint32_t>(position)});
  std::push_heap(falling_.begin(), falling_.end(), ends_later);
}

// Works the bound of a processor out of its offers and its price.
void LaneBounds::count_price(const LaneState& state, std::size_t position,
                             const Question& question) {
  Lane& lane = lanes_[position];
  // At least until it is worked out anew, which may have been set when tasks came more slowly.
  lane.valid_until = std::max(question.now + holds(question, position), lane.falls_until);
  if (lane.falls_until < question.now && !state.price.nothing(lane.valid_until)) {
    wait_for(position);
  }
  const std::int64_t price_mw = state.price.mw(lane.valid_until);
  Bound bound;
  for (const Offer& offer : lane.offers) {
    bound = least(bound, offer.at(price_mw));
  }
  set_leaf(position, bound);
}

// Works out what a processor offers.
void LaneBounds::work_out(const LaneTable& table, std::size_t position, const Question& question) {
  Lane& lane = lanes_[position];
  if (lane.seen == round_) {
    return;
  }
  lane.seen = round_;
  const LaneState& state = table.lanes()[position];
  const BoundTerms terms{.objective = question.objective,
                         .time = Micros{most(kind_.time_bits)},
                         .come = most(kind_.come_bits),
                         .deadline_stated = kind_.deadline_stated};
  lane.offers.clear();
  for (const std::uint32_t profile : lane.fitting) {
    const std::optional<Offer> offer =
        state.liveness == Liveness::Live ? offer_of(state, profile, terms) : std::nullopt;
    if (offer.has_value()) {
      lane.offers.push_back(*offer);
    }
  }
  count_price(state, position, question);
}

void LaneBounds::load(const LaneTable& table, const TaskView& task) {
  const std::size_t count = table.lanes().size();
  layout_ = table.layout();
  lanes_.assign(count, {});
  falling_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const LaneState& state = table.lanes()[i];
    for (std::uint32_t p = 0; p < state.costs->size(); ++p) {
      if (!unfit(task, state.variant_of(p)).has_value()) {
        lanes_[i].fitting.push_back(p);
      }
    }
  }
  nodes_.assign(std::bit_ceil(std::max<std::size_t>(count, 1)) * 2, Bound{});
}

void LaneBounds::follow(const LaneTable& table, const Question& question) {
  auto changed = table.changes().since(read_);
  read_ = table.changes().end();
  round_ += 1;
  if (layout_ != table.layout()) {
    load(table, question.task);
    changed.reset();
  }
  while (!falling_.empty() && falling_.front().until < question.now) {
    std::pop_heap(falling_.begin(), falling_.end(), ends_later);
    const std::uint32_t position = falling_.back().lane;
    falling_.pop_back();
    if (lanes_[position].valid_until < question.now) {
      count_price(table.lanes()[position], position, question);
    } else {
      wait_for(position);  // it was worked out since
    }
  }
  if (!changed.has_value()) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      work_out(table, i, question);
    }
    return;
  }
  for (const std::uint32_t position : *changed) {
    work_out(table, position, question);
  }
}

}  // namespace juggler
