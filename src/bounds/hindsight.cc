#include "bounds/hindsight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "bounds/fluid.h"
#include "bounds/pricing.h"
#include "bounds/timeline.h"
#include "bounds/windows.h"
#include "core/names.h"

namespace juggler::bounds {
namespace {

constexpr std::array<Named<BoundKind>, 2> kKinds{
    {{BoundKind::Fluid, "fluid"}, {BoundKind::Hindsight, "hindsight"}}};
constexpr std::array<Named<BoundStatus>, 2> kStatuses{
    {{BoundStatus::Converged, "converged"}, {BoundStatus::TimeLimit, "time-limit"}}};

// Sums of doubles may be off by this share; the bound gives it away.
constexpr double kRounding = 1e-9;
// A task is never priced above this many times the dearest batch of one.
constexpr double kPriceMaxFactor = 10.0;

Error bad(const std::string& what) {
  return fail(ErrorCode::InvalidArgument, "hindsight bound: " + what);
}

Result<void> check_input(std::span<const Demand> demands, std::span<const Arrival> arrivals,
                         const HindsightTerms& terms) {
  if (demands.size() > kDemandsMax) {
    return bad(fmt::format("{} demands, at most {}: join those that ask for the same",
                           demands.size(), kDemandsMax));
  }
  if (arrivals.empty()) {
    return bad("no arrivals");
  }
  if (!(terms.drop_share >= 0.0 && terms.drop_share < 1.0) || terms.slots_per_deadline < 1) {
    return bad("the drop share must be in [0, 1), the slots per deadline at least 1");
  }
  for (std::size_t a = 0; a < arrivals.size(); ++a) {
    const Arrival& arrival = arrivals[a];
    if (arrival.demand >= demands.size() || arrival.deadline <= arrival.at ||
        arrival.deadline - arrival.at > seconds(3600) ||
        (a > 0 && arrival.at < arrivals[a - 1].at)) {
      return bad(
          fmt::format("arrival {}: must name a demand, be sorted by time, and have a "
                      "deadline of at most an hour",
                      a + 1));
    }
  }
  return {};
}

// The fluid bound over the arrivals' span: no processor works before the first or after the last
// deadline.
struct FluidOver {
  FluidResult rates;
  std::int64_t energy_uj = 0;
};

Result<FluidOver> fluid_over(std::span<const ProcessorGroup> groups,
                             std::span<const Demand> demands, std::span<const Arrival> arrivals,
                             double drop_share) {
  std::vector<Demand> mean(demands.begin(), demands.end());
  std::vector<Micros> longest(demands.size());
  std::vector<double> counts(demands.size(), 0.0);
  Time end = arrivals.front().deadline;
  for (const Arrival& arrival : arrivals) {
    counts[arrival.demand] += 1.0;
    longest[arrival.demand] = std::max(longest[arrival.demand], arrival.deadline - arrival.at);
    end = std::max(end, arrival.deadline);
  }
  const double span_s = static_cast<double>((end - arrivals.front().at).count) / 1e6;
  for (std::size_t d = 0; d < mean.size(); ++d) {
    mean[d].rate_hz = counts[d] / span_s;
    mean[d].requirements.deadline = longest[d];
  }
  const Result<FluidResult> fluid = fluid_energy(groups, mean, {.drop_share = drop_share});
  if (!fluid) {
    return fluid.error();
  }
  const double energy = static_cast<double>(fluid->power_uw) * span_s * (1.0 - kRounding);
  return FluidOver{*fluid, static_cast<std::int64_t>(std::floor(energy))};
}

double price_max_of(const Timeline& timeline) {
  double dearest = 1.0;
  for (const Lane& lane : timeline.lanes) {
    for (const BatchKind& kind : lane.kinds) {
      dearest = std::max(dearest, kind.batch == 1 ? kind.energy_uj : 0.0);
    }
  }
  return dearest * kPriceMaxFactor;
}

// A first guess: the fluid programme's prices, at which no batch holds more than it costs.
Prices first_guess(const Timeline& timeline, const FluidResult& fluid) {
  Prices prices = no_prices(timeline);
  for (std::size_t l = 0; l < timeline.lanes.size(); ++l) {
    const double per_us = static_cast<double>(fluid.price_uw[timeline.lanes[l].group]) / 1e6;
    std::fill(prices.lane[l].begin(), prices.lane[l].end(), per_us);
  }
  std::vector<double> by_demand(kDemandsMax, HUGE_VAL);
  for (std::size_t l = 0; l < timeline.lanes.size(); ++l) {
    const double per_us = static_cast<double>(fluid.price_uw[timeline.lanes[l].group]) / 1e6;
    for (const BatchKind& kind : timeline.lanes[l].kinds) {
      const double cost =
          (kind.energy_uj + per_us * static_cast<double>(kind.latency_us)) / kind.batch;
      for (std::size_t d = 0; d < kDemandsMax; ++d) {
        if (((kind.serves >> d) & 1U) != 0) {
          by_demand[d] = std::min(by_demand[d], cost);
        }
      }
    }
  }
  for (std::size_t s = 0; s < timeline.sets.size(); ++s) {
    prices.task[s] = by_demand[timeline.sets[s].demand];
  }
  return prices;
}

struct DualValue {
  double energy_uj = 0.0;
  double drop_price = 0.0;  // the cheapest task that is left out
  std::int64_t hard_pressed = 0;
};

// What the prices prove, if `dropped` tasks, the dearest, are left out.
DualValue dual_value(const Timeline& timeline, const Prices& prices, std::int64_t dropped,
                     double price_max) {
  std::vector<std::uint32_t> order(timeline.sets.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return prices.task[a] > prices.task[b];
  });
  DualValue dual;
  dual.drop_price = price_max;
  for (const std::uint32_t s : order) {
    const std::int64_t out = std::min(dropped, timeline.sets[s].count);
    dropped -= out;
    dual.drop_price = out > 0 ? prices.task[s] : dual.drop_price;
    dual.energy_uj += prices.task[s] * static_cast<double>(timeline.sets[s].count - out);
    dual.hard_pressed += prices.task[s] >= price_max * 0.99 ? timeline.sets[s].count : 0;
  }
  for (std::size_t l = 0; l < timeline.lanes.size(); ++l) {
    const Lane& lane = timeline.lanes[l];
    for (const double price : prices.lane[l]) {
      dual.energy_uj -= price * static_cast<double>(lane.count * lane.cell_us);
    }
  }
  return dual;
}

void run_pass(const Timeline& timeline, Prices prices, double price_max, double seconds,
              std::int64_t droppable, Result<DualValue>& best, HindsightResult& result) {
  const Result<WindowReport> report =
      improve_prices(timeline, {.price_max = price_max, .seconds_max = seconds}, prices);
  if (!report) {
    best = report.error();
    return;
  }
  const DualValue proposed = dual_value(timeline, prices, droppable, price_max);
  make_feasible(timeline, prices);
  const DualValue proven = dual_value(timeline, prices, droppable, price_max);
  result.columns += report->columns;
  result.solver_iterations += report->iterations;
  if (!best.has_value() || proven.energy_uj > best->energy_uj) {
    const double lost = proposed.energy_uj - proven.energy_uj;
    result.loss_ppm =
        proven.energy_uj > 0.0 ? std::llround(std::max(0.0, lost) / proven.energy_uj * 1e6) : 0;
    result.status = report->in_time ? BoundStatus::Converged : BoundStatus::TimeLimit;
    result.hard_pressed = proven.hard_pressed;
    best = proven;
  }
}

}  // namespace

std::string_view to_string(BoundKind kind) { return name_of(kKinds, kind); }
std::string_view to_string(BoundStatus status) { return name_of(kStatuses, status); }

Result<HindsightResult> hindsight_energy(std::span<const ProcessorGroup> groups,
                                         std::span<const Demand> demands,
                                         std::span<const Arrival> arrivals,
                                         const HindsightTerms& terms) {
  if (const Result<void> ok = check_input(demands, arrivals, terms); !ok) {
    return ok.error();
  }
  const Result<FluidOver> fluid = fluid_over(groups, demands, arrivals, terms.drop_share);
  if (!fluid) {
    return fluid.error();
  }
  const Timeline timeline = make_timeline(groups, demands, arrivals, terms);
  HindsightResult result;
  result.fluid_uj = fluid->energy_uj;
  result.tasks = static_cast<std::int64_t>(arrivals.size());
  result.slot_us = timeline.slot_us;
  result.unservable = timeline.unservable;
  result.dropped = static_cast<std::int64_t>(
      std::floor(static_cast<double>(arrivals.size()) * terms.drop_share + 1e-9));
  const std::int64_t droppable = result.dropped - timeline.unservable;
  if (droppable < 0) {
    return fail(ErrorCode::Unsupported,
                fmt::format("hindsight bound: {} of {} tasks fit no batch within their deadline, "
                            "and {} may be left out: allow more drops or relax the deadlines",
                            timeline.unservable, arrivals.size(), result.dropped));
  }

  const double price_max = price_max_of(timeline);
  Result<DualValue> best = fail(ErrorCode::Internal, "no pass");
  const double seconds = droppable > 0 ? terms.seconds_max / 2 : terms.seconds_max;
  const Prices guess = first_guess(timeline, fluid->rates);
  run_pass(timeline, guess, price_max, seconds, droppable, best, result);
  if (droppable > 0 && best.has_value() && best->drop_price < price_max) {
    // With tasks that may be left out, no task is worth more than the cheapest of those: once more
    // with that limit, so that the others' prices are what they are without them.
    run_pass(timeline, guess, std::max(1.0, best->drop_price), seconds, droppable, best, result);
  }
  if (!best) {
    return best.error();
  }
  const double proven = std::floor(best->energy_uj * (1.0 - kRounding));
  result.energy_uj = std::max<std::int64_t>(static_cast<std::int64_t>(proven), 0);
  if (result.fluid_uj > result.energy_uj) {
    result.energy_uj = result.fluid_uj;
    result.kind = BoundKind::Fluid;
  }
  return result;
}

}  // namespace juggler::bounds
