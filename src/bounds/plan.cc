#include "bounds/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <queue>
#include <utility>

#include "bounds/fluid.h"
#include "bounds/linear.h"
#include "bounds/ways.h"
#include "core/check.h"

namespace juggler::bounds {
namespace {

// Counts nearer than this to a whole number are that number.
constexpr double kWhole = 1e-6;
constexpr double kHoursPerYear = 8'766.0;
constexpr double kMicrowattsPerKilowatt = 1e9;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Price of a microwatt over the whole time that counts.
double price_per_uw(const PlanTerms& terms) {
  return terms.years * kHoursPerYear * terms.price_per_kwh / kMicrowattsPerKilowatt;
}

double idle_uw(const DeviceFacts& facts) {
  return facts.idle.has_value() ? static_cast<double>(facts.idle->count) *
                                      static_cast<double>(facts.to_board_input.factor_permille)
                                : 0.0;
}

Result<void> check_input(std::span<const BoardOffer> offers, std::span<const Demand> demands,
                         const PlanTerms& terms) {
  if (Result<void> ok = check_rates(demands); !ok) {
    return ok;
  }
  if (!(terms.utilisation_max > 0.0 && terms.utilisation_max <= 1.0) || !(terms.years >= 0.0) ||
      !(terms.price_per_kwh >= 0.0)) {
    return fail(ErrorCode::InvalidArgument,
                "plan: the utilisation must be in (0, 1], years and energy price not negative");
  }
  for (const BoardOffer& offer : offers) {
    JUGGLER_CHECK(offer.facts != nullptr, "an offer has facts");
    if (!(offer.price >= 0.0) || offer.count_min < 0 || offer.count_max < offer.count_min ||
        offer.count_max > 100'000) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("plan: offer {}: needs a price of at least 0 and 0 <= count_min <= "
                              "count_max <= 100000",
                              offer.facts->board));
    }
    if (price_per_uw(terms) > 0.0 && !offer.facts->idle.has_value()) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("plan: the idle power of {} is unknown: give its profile one, leave "
                              "it out, or plan by price alone",
                              offer.facts->board));
    }
  }
  return {};
}

// The counts that a part of the search allows, and the least cost there.
struct Node {
  double cost = 0.0;
  std::vector<std::int64_t> low;
  std::vector<std::int64_t> high;
  std::vector<double> counts;  // of its optimum

  // For the queue: the cheapest first; ties by the counts, so that a run is repeatable.
  friend bool operator<(const Node& a, const Node& b) {
    return a.cost != b.cost ? a.cost > b.cost : a.low > b.low;
  }
};

class Planner {
 public:
  Planner(std::span<const BoardOffer> offers, std::span<const Demand> demands,
          const PlanTerms& terms)
      : offers_(offers), demands_(demands), terms_(terms) {}

  Result<FleetPlan> run();

 private:
  Result<void> build();
  Result<bool> solve(Node& node);
  Result<void> search(Node root);
  void round_up(const Node& node);
  Result<FleetPlan> describe_best() const;

  std::span<const BoardOffer> offers_;
  std::span<const Demand> demands_;
  PlanTerms terms_;
  LinearProgram lp_;  // columns 0, 1, ... are the counts
  std::vector<std::int64_t> best_;
  double best_cost_ = kInfinity;
  double cost_min_ = 0.0;
  std::int64_t nodes_ = 0;
};

std::vector<ProcessorGroup> groups_of(const BoardOffer& offer, std::int64_t count) {
  const std::vector<SupplyDevice> one{{offer.facts, offer.network, count}};
  return group_processors(one);
}

Result<void> Planner::build() {
  const double per_uw = price_per_uw(terms_);
  std::vector<int> demand_rows;
  for (const Demand& demand : demands_) {
    demand_rows.push_back(lp_.add_row(demand.rate_hz, demand.rate_hz));
  }
  std::vector<Column> counts;
  std::vector<Column> flows;
  for (const BoardOffer& offer : offers_) {
    Column count;
    count.cost = offer.price + idle_uw(*offer.facts) * per_uw;
    count.lower = static_cast<double>(offer.count_min);
    count.upper = static_cast<double>(offer.count_max);
    const std::vector<ProcessorGroup> groups = groups_of(offer, 1);
    for (std::uint32_t g = 0; g < groups.size(); ++g) {
      const int row = lp_.add_row(-kInfinity, 0.0);
      count.entries.push_back(
          {row, -static_cast<double>(groups[g].count) * terms_.utilisation_max});
      for (std::uint32_t d = 0; d < demands_.size(); ++d) {
        std::vector<Way> ways = ways_of(groups[g], g, demands_[d], d);
        for (const Way& way : ways) {
          if (per_uw > 0.0 && !groups[g].options[way.option].energy_known) {
            return unknown_energy(groups[g], groups[g].options[way.option]);
          }
        }
        keep_hull(ways);
        for (const Way& way : ways) {
          Column flow;
          flow.cost = way.energy_uj * per_uw;
          flow.entries = {{demand_rows[d], 1.0}, {row, way.seconds}};
          flows.push_back(flow);
        }
      }
    }
    counts.push_back(count);
  }
  for (const std::vector<Column>* part : {&counts, &flows}) {
    for (const Column& column : *part) {
      lp_.add_column(column);
    }
  }
  return {};
}

// False if no fleet within the node's counts serves the demand.
Result<bool> Planner::solve(Node& node) {
  ++nodes_;
  for (std::size_t k = 0; k < offers_.size(); ++k) {
    lp_.set_column_bounds(static_cast<int>(k), static_cast<double>(node.low[k]),
                          static_cast<double>(node.high[k]));
  }
  if (const Result<void> ok = lp_.minimise(); !ok) {
    if (ok.error().code == ErrorCode::Unsupported) {
      return false;
    }
    return ok.error();
  }
  node.cost = lp_.objective();
  const std::span<const double> values = lp_.values();
  node.counts.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(offers_.size()));
  return true;
}

// More boards never serve less: the counts of a node, rounded up, are a plan. Its cost is at most
// the node's with the boards added; the flows may only become cheaper.
void Planner::round_up(const Node& node) {
  std::vector<std::int64_t> counts;
  double cost = node.cost;
  for (std::size_t k = 0; k < offers_.size(); ++k) {
    const auto whole = static_cast<std::int64_t>(std::ceil(node.counts[k] - kWhole));
    counts.push_back(whole);
    const double each = offers_[k].price + idle_uw(*offers_[k].facts) * price_per_uw(terms_);
    cost += (static_cast<double>(whole) - node.counts[k]) * each;
  }
  if (cost < best_cost_) {
    best_cost_ = cost;
    best_ = std::move(counts);
  }
}

Result<void> Planner::search(Node root) {
  const double until = now_seconds() + terms_.seconds_max;
  std::priority_queue<Node> open;
  open.push(std::move(root));
  while (!open.empty()) {
    const Node node = open.top();
    cost_min_ = std::min(node.cost, best_cost_);
    const bool good_enough = node.cost >= best_cost_ * (1.0 - 1e-9) - 1e-9;
    if (good_enough || nodes_ >= terms_.nodes_max || now_seconds() > until) {
      return {};
    }
    open.pop();
    // Branch on the count that is farthest from whole.
    std::size_t split = offers_.size();
    double farthest = kWhole;
    for (std::size_t k = 0; k < offers_.size(); ++k) {
      const double off = std::abs(node.counts[k] - std::round(node.counts[k]));
      if (off > farthest) {
        farthest = off;
        split = k;
      }
    }
    if (split == offers_.size()) {
      continue;  // whole: round_up() has it
    }
    for (const bool up : {false, true}) {
      Node child{0.0, node.low, node.high, {}};
      const auto floor = static_cast<std::int64_t>(std::floor(node.counts[split]));
      (up ? child.low : child.high)[split] = up ? floor + 1 : floor;
      const Result<bool> feasible = solve(child);
      if (!feasible) {
        return feasible.error();
      }
      if (*feasible) {
        round_up(child);
        open.push(std::move(child));
      }
    }
  }
  cost_min_ = best_cost_;
  return {};
}

Result<FleetPlan> Planner::describe_best() const {
  FleetPlan plan;
  plan.counts = best_;
  plan.cost_millionths = std::llround(best_cost_ * 1e6);
  plan.cost_min_millionths =
      std::min(plan.cost_millionths, static_cast<std::int64_t>(std::floor(cost_min_ * 1e6)));
  plan.nodes = nodes_;
  std::vector<ProcessorGroup> groups;
  std::vector<std::uint32_t> offer_of;
  double idle = 0.0;
  for (std::size_t k = 0; k < offers_.size(); ++k) {
    idle += static_cast<double>(best_[k]) * idle_uw(*offers_[k].facts);
    for (ProcessorGroup& group : groups_of(offers_[k], best_[k])) {
      groups.push_back(std::move(group));
      offer_of.push_back(static_cast<std::uint32_t>(k));
    }
  }
  plan.power_idle_uw = std::llround(idle);
  const FluidTerms terms{.utilisation_max = terms_.utilisation_max};
  const Result<FluidResult> capacity = fluid_capacity(groups, demands_, terms);
  if (!capacity) {
    return capacity.error();
  }
  plan.scale_ppm = capacity->scale_ppm;
  // How to run it: with the least energy, or where energies are unknown as at full capacity.
  const Result<FluidResult> energy = fluid_energy(groups, demands_, terms);
  const double shrink = energy ? 1.0 : 1e6 / static_cast<double>(capacity->scale_ppm);
  plan.power_marginal_uw = energy ? energy->power_uw : 0;
  for (const Flow& flow : energy ? energy->flows : capacity->flows) {
    const ProcessorGroup& group = groups[flow.group];
    const Option& option = group.options[flow.option];
    plan.flows.push_back({flow.demand, offer_of[flow.group], group.processor->id,
                          group.variant_of(option).id, option.batch,
                          std::llround(static_cast<double>(flow.rate_uhz) * shrink)});
  }
  return plan;
}

Result<FleetPlan> Planner::run() {
  if (const Result<void> ok = build(); !ok) {
    return ok.error();
  }
  Node root;
  for (const BoardOffer& offer : offers_) {
    root.low.push_back(offer.count_min);
    root.high.push_back(offer.count_max);
  }
  const Result<bool> feasible = solve(root);
  if (!feasible) {
    return feasible.error();
  }
  if (!*feasible) {
    // All boards on offer together: the fluid programme says which demand, or that it is too much.
    std::vector<SupplyDevice> all;
    for (const BoardOffer& offer : offers_) {
      all.push_back({offer.facts, offer.network, offer.count_max});
    }
    const Result<FluidResult> capacity = fluid_capacity(group_processors(all), demands_);
    if (!capacity) {
      return capacity.error();
    }
    return fail(ErrorCode::Unsupported,
                fmt::format("plan: all boards on offer together serve {:.3f} of the rates at a "
                            "utilisation of {}: offer more boards or accept less headroom",
                            static_cast<double>(capacity->scale_ppm) / 1e6 * terms_.utilisation_max,
                            terms_.utilisation_max));
  }
  round_up(root);
  if (const Result<void> ok = search(std::move(root)); !ok) {
    return ok.error();
  }
  return describe_best();
}

}  // namespace

Result<FleetPlan> plan_fleet(std::span<const BoardOffer> offers, std::span<const Demand> demands,
                             const PlanTerms& terms) {
  if (const Result<void> ok = check_input(offers, demands, terms); !ok) {
    return ok.error();
  }
  return Planner(offers, demands, terms).run();
}

}  // namespace juggler::bounds
