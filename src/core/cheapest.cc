#include "core/cheapest.h"

#include <algorithm>
#include <tuple>

namespace juggler {
namespace {

// Kinds of tasks whose bounds are kept, and processors of all of them together. A kind that comes
// again later starts anew.
constexpr std::size_t kKindsMax = 32;
constexpr std::size_t kKindsLanesMax = 40'000;
// Where so many processors and an eighth of all were judged and none can be chosen, the fleet is
// overloaded, and judging all at once is less work.
constexpr std::size_t kInVainMax = 16;
constexpr std::size_t kInVainPart = 8;

auto ids_of(const Candidate& candidate) {
  return std::tuple(candidate.device, candidate.lane, candidate.profile);
}

bool first_by_cost(const Candidate& a, const Candidate& b) {
  return cheaper(a, b) || (!cheaper(b, a) && ids_of(a) < ids_of(b));
}

// As a bound: comparable with Bound::cost.
std::int64_t cost_of(const Candidate& candidate) {
  return candidate.total_uj() + (candidate.energy.has_value() ? 0 : kEnergyUnknown);
}

}  // namespace

bool cheaper(const Candidate& a, const Candidate& b) {
  if (a.energy.has_value() != b.energy.has_value()) {
    return a.energy.has_value();
  }
  if (a.total_uj() != b.total_uj()) {
    return a.total_uj() < b.total_uj();
  }
  return a.finish != b.finish ? a.finish < b.finish : a.accuracy > b.accuracy;
}

// One search: its question, its bounds, and the best found.
struct CheapestSearch::Run {
  const LaneTable& table;
  const LaneBounds& bounds;
  const Question& question;
  Judge& judge;
  Outlook& outlook;
  BoundTerms terms;
  std::optional<Candidate> choice = std::nullopt;
  std::optional<Candidate> ask = std::nullopt;
  std::size_t asked = 0;  // the position of its processor

  // Whether what costs so much at least is no choice.
  bool dearer(std::int64_t cost) const {
    return cost == kNoBound || (choice.has_value() && cost > cost_of(*choice));
  }
  // The same for what may cost as much, but comes later.
  bool later(std::int64_t cost, Micros finish) const {
    return choice.has_value() && cost == cost_of(*choice) && question.now + finish > choice->finish;
  }
  // Whether what asks so much at least, on processors from that one on, is not what is asked for.
  bool asks_more(std::int64_t asks, std::size_t position) const {
    if (!ask.has_value()) {
      return asks >= worth_of(question.task.priority, question.objective.rates).count;
    }
    return asks > ask->asks_uj || (asks == ask->asks_uj && position > asked);
  }
  bool out(const Bound& bound, std::size_t position, Aim aim) const {
    return aim == Aim::Ask ? asks_more(bound.ask, position)
                           : dearer(bound.cost) || later(bound.cost, bound.finish);
  }

  // Whether no batch can be in time there, whatever else is in line.
  bool too_late(const LaneOutlook& lane, std::size_t profile) const {
    const ProfileCosts& costs = (*lane.costs)[profile];
    const Time begin =
        std::max(lane.free_at, lane.link_free_at + lane.pace.transfer(question.task.bytes));
    const Micros takes =
        corrected(costs.of(1), *lane.learned, profile, lane.slowdown_permille).takes();
    return begin + takes > question.task.deadline - (lane.network - lane.network / 2);
  }

  void take(const Candidate& candidate, std::size_t position) {
    if (choosable(candidate) && (!choice.has_value() || first_by_cost(candidate, *choice))) {
      choice = candidate;
    }
    if (!may_be_asked(candidate) ||
        candidate.asks_uj >= worth_of(question.task.priority, question.objective.rates).count) {
      return;
    }
    if (!ask.has_value() ||
        std::pair(candidate.asks_uj, ids_of(candidate)) < std::pair(ask->asks_uj, ids_of(*ask))) {
      ask = candidate;
      asked = position;
    }
  }
};

MilliPercent CheapestSearch::floor_of(const LaneTable& table, const TaskView& task) {
  if (layout_ != table.layout()) {
    layout_ = table.layout();
    accuracies_.clear();
    for (const LaneState& lane : table.lanes()) {
      for (const Variant& variant : lane.facts->variants) {
        const auto at = std::lower_bound(accuracies_.begin(), accuracies_.end(), variant.accuracy);
        if (at == accuracies_.end() || *at != variant.accuracy) {
          accuracies_.insert(at, variant.accuracy);
        }
      }
    }
  }
  const std::optional<MilliPercent> floor = task.requirements->min_accuracy;
  const auto at =
      std::lower_bound(accuracies_.begin(), accuracies_.end(), floor.value_or(MilliPercent{0}));
  return at != accuracies_.end() ? *at : MilliPercent{100'001};
}

const LaneBounds& CheapestSearch::bounds_for(const LaneTable& table, const Question& question) {
  const TaskView& task = question.task;
  const TaskKind kind =
      kind_of(task, floor_of(table, task), question.now, question.outlook.arrival_gap_us);
  auto at = std::find_if(kinds_.begin(), kinds_.end(),
                         [&kind](const auto& bounds) { return bounds->kind() == kind; });
  if (at == kinds_.end()) {
    while (!kinds_.empty() && (kinds_.size() >= kKindsMax ||
                               (kinds_.size() + 1) * table.lanes().size() > kKindsLanesMax)) {
      kinds_.pop_back();
    }
    kinds_.push_back(std::make_unique<LaneBounds>(kind));
    at = std::prev(kinds_.end());
  }
  std::rotate(kinds_.begin(), at, std::next(at));
  kinds_.front()->follow(table, question);
  return *kinds_.front();
}

// Judges those variants of a processor that may be better than the best so far, the most promising
// first.
void CheapestSearch::look_at(Run& run, std::size_t position, Aim aim) {
  const LaneState& lane = run.table.lanes()[position];
  const Question& question = run.question;
  const std::int64_t price_mw = lane.price.mw(question.now);
  left_.clear();
  for (const Offer& offer : run.bounds.offers(position)) {
    const Bound bound = offer.at(price_mw);
    if (!run.out(bound, position, aim)) {
      left_.emplace_back(aim == Aim::Choice ? bound.cost : bound.ask, offer.profile);
    }
  }
  if (left_.empty()) {
    return;
  }
  std::sort(left_.begin(), left_.end());
  run.outlook.lanes.push_back(outlook_of(lane, question.task, question.now));
  const LaneOutlook& seen = run.outlook.lanes.back();
  bool open = false;
  for (const auto& [at_least, profile] : left_) {
    // By this task's own limits, and by the best found meanwhile.
    const std::optional<Offer> offer = offer_of(lane, profile, run.terms);
    if (!offer.has_value() || run.out(offer->at(price_mw), position, aim) ||
        (aim == Aim::Choice && run.too_late(seen, profile))) {
      continue;
    }
    if (!open) {
      run.judge.open(question, seen);
      open = true;
    }
    run.take(run.judge.judge_one(question, seen, profile, Judge::Detail::Enough), position);
  }
}

// Looks at processors by their bounds, the lowest first; of equals the earlier finish, then the
// lower processor.
void CheapestSearch::search(Run& run, Aim aim) {
  const LaneBounds& bounds = run.bounds;
  const std::size_t in_vain_max = kInVainMax + run.table.lanes().size() / kInVainPart;
  const auto after = [](const Node& a, const Node& b) {
    return std::tie(a.key, a.finish, a.first) > std::tie(b.key, b.finish, b.first);
  };
  const auto push = [&](std::size_t position, std::size_t first, std::size_t width) {
    const Bound& bound = bounds.node(position);
    if (!run.out(bound, first, aim)) {
      nodes_.push_back(aim == Aim::Choice ? Node{bound.cost, bound.finish, position, first, width}
                                          : Node{bound.ask, Micros{0}, position, first, width});
      std::push_heap(nodes_.begin(), nodes_.end(), after);
    }
  };
  nodes_.clear();
  push(1, 0, bounds.leaves());
  for (std::size_t looked_at = 0; !nodes_.empty();) {
    std::pop_heap(nodes_.begin(), nodes_.end(), after);
    const Node node = nodes_.back();
    nodes_.pop_back();
    if (run.out(bounds.node(node.position), node.first, aim)) {
      continue;  // something better has been found since
    }
    if (node.width == 1) {
      look_at(run, node.first, aim);
      looked_at += 1;
      if (!run.choice.has_value() && looked_at > in_vain_max) {
        return;
      }
      continue;
    }
    push(node.position * 2, node.first, node.width / 2);
    push(node.position * 2 + 1, node.first + node.width / 2, node.width / 2);
  }
}

bool CheapestSearch::find(const LaneTable& table, const Question& question, Judge& judge,
                          Outlook& outlook, std::vector<Candidate>& candidates) {
  outlook.lanes.clear();
  candidates.clear();
  const Micros time = question.task.deadline - question.now;
  Run run{.table = table,
          .bounds = bounds_for(table, question),
          .question = question,
          .judge = judge,
          .outlook = outlook,
          .terms = {.objective = question.objective,
                    .time = time,
                    .come = std::max<std::int64_t>(time.count, 0) / outlook.arrival_gap_us,
                    .deadline_stated = question.task.deadline_stated}};
  search(run, Aim::Choice);
  if (!run.choice.has_value()) {
    return false;
  }
  const bool asks = question.objective.prices || question.objective.loading;
  if (asks && question.task.asks) {
    search(run, Aim::Ask);
  }
  candidates.push_back(*run.choice);
  if (run.ask.has_value() && ids_of(*run.ask) != ids_of(*run.choice)) {
    candidates.push_back(*run.ask);
    if (ids_of(candidates[1]) < ids_of(candidates[0])) {
      std::swap(candidates[0], candidates[1]);
    }
  }
  return true;
}

}  // namespace juggler
