#include "bounds/timeline.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace juggler::bounds {
namespace {

// No more slots than this, whatever the deadlines: each costs time and memory.
constexpr std::int64_t kSlotsMax = 400'000;

std::uint64_t demands_served(const ProcessorGroup& group, const Option& option,
                             std::span<const Demand> demands) {
  std::uint64_t serves = 0;
  for (std::size_t d = 0; d < demands.size(); ++d) {
    Requirements wanted = demands[d].requirements;
    wanted.deadline.reset();  // each arrival brings its own
    if (may_serve(group, option, wanted)) {
      serves |= std::uint64_t{1} << d;
    }
  }
  return serves;
}

// Whether nothing that `b` can do is not done by `a` as fast and as frugally.
bool dominates(const BatchKind& a, const BatchKind& b) {
  return a.batch == b.batch && (a.serves & b.serves) == b.serves && a.latency_us <= b.latency_us &&
         a.energy_uj <= b.energy_uj;
}

std::vector<BatchKind> kinds_of(const ProcessorGroup& group, std::span<const Demand> demands,
                                std::int64_t deadline_max_us) {
  std::vector<BatchKind> kinds;
  for (std::size_t o = 0; o < group.options.size(); ++o) {
    const Option& option = group.options[o];
    const std::uint64_t serves = demands_served(group, option, demands);
    if (serves == 0 || option.latency.count + group.network.count > deadline_max_us) {
      continue;
    }
    const BatchKind kind{static_cast<std::uint32_t>(o), option.batch, option.latency.count,
                         option.energy_uj, serves};
    const auto better = [&](const BatchKind& other) { return dominates(other, kind); };
    if (std::none_of(kinds.begin(), kinds.end(), better)) {
      std::erase_if(kinds, [&](const BatchKind& other) { return dominates(kind, other); });
      kinds.push_back(kind);
    }
  }
  return kinds;
}

// A fifth of the shortest deadline, or twice the time of the quickest batch, in whole slots. Finer
// cells bind hardly tighter (docs/bounds.md); cells as long as a deadline would not bind at all.
std::int64_t cell_of(const std::vector<BatchKind>& kinds, std::int64_t slot_us,
                     std::int64_t deadline_us) {
  std::int64_t cell_us = deadline_us / 5;
  for (const BatchKind& kind : kinds) {
    cell_us = std::min(cell_us, kind.latency_us * 2);
  }
  return std::max<std::int64_t>(1, cell_us / slot_us) * slot_us;
}

bool fits_somewhere(const TaskSet& set, const std::vector<Lane>& lanes, std::int64_t release_us) {
  return std::any_of(lanes.begin(), lanes.end(), [&](const Lane& lane) {
    return std::any_of(lane.kinds.begin(), lane.kinds.end(), [&](const BatchKind& kind) {
      return ((kind.serves >> set.demand) & 1U) != 0 &&
             release_us + kind.latency_us + lane.network_us <= set.deadline_us;
    });
  });
}

// How the arrivals lie in time, by demand.
struct Spans {
  std::vector<std::int64_t> shortest_us;  // deadline
  std::vector<std::int64_t> tasks;
  std::int64_t shortest_of_all_us = INT64_MAX;
  std::int64_t longest_us = 0;
  std::int64_t end_us = 0;  // the last deadline, since the first arrival
};

Spans spans_of(std::size_t demands, std::span<const Arrival> arrivals) {
  Spans spans;
  spans.shortest_us.assign(demands, INT64_MAX);
  spans.tasks.assign(demands, 0);
  for (const Arrival& arrival : arrivals) {
    const std::int64_t window = (arrival.deadline - arrival.at).count;
    spans.end_us = std::max(spans.end_us, (arrival.deadline - arrivals.front().at).count);
    spans.shortest_us[arrival.demand] = std::min(spans.shortest_us[arrival.demand], window);
    spans.shortest_of_all_us = std::min(spans.shortest_of_all_us, window);
    spans.longest_us = std::max(spans.longest_us, window);
    ++spans.tasks[arrival.demand];
  }
  return spans;
}

// Tasks of one demand are taken together over this many slots, in proportion to its own deadline.
std::int64_t stretch_of(const Spans& spans, std::size_t demand) {
  return std::max<std::int64_t>(1, spans.shortest_us[demand] / spans.shortest_of_all_us);
}

std::int64_t slot_of(const Spans& spans, const HindsightTerms& terms) {
  const auto sets = [&](std::int64_t slot_us) {
    std::int64_t sum = 0;
    for (std::size_t d = 0; d < spans.tasks.size(); ++d) {
      const std::int64_t stretch_us = stretch_of(spans, d) * slot_us;
      sum += spans.tasks[d] > 0 ? std::min(spans.tasks[d], spans.end_us / stretch_us + 1) : 0;
    }
    return sum;
  };
  std::int64_t slot_us = std::max({std::int64_t{1}, (spans.end_us + kSlotsMax - 1) / kSlotsMax,
                                   spans.shortest_of_all_us / terms.slots_per_deadline});
  while (sets(slot_us) > terms.sets_max && slot_us * 5 < spans.shortest_of_all_us) {
    slot_us += slot_us / 4 + 1;
  }
  return slot_us;
}

}  // namespace

Timeline make_timeline(std::span<const ProcessorGroup> groups, std::span<const Demand> demands,
                       std::span<const Arrival> arrivals, const HindsightTerms& terms) {
  const Time origin = arrivals.front().at;
  const Spans spans = spans_of(demands.size(), arrivals);
  Timeline timeline;
  timeline.slot_us = slot_of(spans, terms);
  timeline.slots = spans.end_us / timeline.slot_us + 1;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Lane lane;
    lane.group = static_cast<std::uint32_t>(g);
    lane.count = groups[g].count;
    lane.network_us = groups[g].network.count;
    lane.kinds = kinds_of(groups[g], demands, spans.longest_us);
    if (lane.count > 0 && !lane.kinds.empty()) {
      lane.cell_us = cell_of(lane.kinds, timeline.slot_us, spans.shortest_of_all_us);
      timeline.lanes.push_back(std::move(lane));
    }
  }

  std::map<std::tuple<std::int64_t, std::uint32_t>, TaskSet> sets;
  for (const Arrival& arrival : arrivals) {
    const std::int64_t stretch = stretch_of(spans, arrival.demand);
    const std::int64_t release_us = (arrival.at - origin).count;
    const std::int64_t slot = release_us / timeline.slot_us / stretch * stretch;
    const TaskSet one{arrival.demand, slot, (arrival.deadline - origin).count, 0};
    if (!fits_somewhere(one, timeline.lanes, release_us)) {
      ++timeline.unservable;
      continue;
    }
    TaskSet& set = sets.try_emplace({slot, arrival.demand}, one).first->second;
    set.deadline_us = std::max(set.deadline_us, one.deadline_us);
    ++set.count;
  }
  for (const auto& [key, set] : sets) {
    timeline.sets.push_back(set);
  }
  return timeline;
}

}  // namespace juggler::bounds
