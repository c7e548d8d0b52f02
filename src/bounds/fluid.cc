#include "bounds/fluid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "bounds/linear.h"
#include "bounds/ways.h"

namespace juggler::bounds {
namespace {

constexpr std::int64_t kFlowMinUhz = 1'000;

Result<void> check_input(std::span<const Demand> demands, const FluidTerms& terms) {
  if (Result<void> ok = check_rates(demands); !ok) {
    return ok;
  }
  if (!(terms.drop_share >= 0.0 && terms.drop_share < 1.0) ||
      !(terms.utilisation_max > 0.0 && terms.utilisation_max <= 1.0)) {
    return fail(ErrorCode::InvalidArgument,
                "the drop share must be in [0, 1), the utilisation in (0, 1]");
  }
  return {};
}

// The rows and columns that both programmes share.
struct Programme {
  LinearProgram lp;
  std::vector<Way> ways;  // one per column, from column 0
  std::vector<int> group_rows;
  std::map<std::uint32_t, int> link_rows;  // by pool, of those with a limit
  std::vector<int> demand_rows;
  int total_row = -1;  // what must be served in all, if some may be dropped
};

Programme make_rows(std::span<const ProcessorGroup> groups, std::span<const Demand> demands,
                    const FluidTerms& terms, bool scaled) {
  Programme p;
  for (const ProcessorGroup& group : groups) {
    const double seconds = static_cast<double>(group.count) * terms.utilisation_max;
    p.group_rows.push_back(p.lp.add_row(-kInfinity, seconds));
    if (group.link_kbits > 0 && !p.link_rows.contains(group.link)) {
      p.link_rows[group.link] = p.lp.add_row(-kInfinity, static_cast<double>(group.link_kbits));
    }
  }
  const bool may_drop = terms.drop_share > 0.0;
  for (const Demand& demand : demands) {
    // Scaled: the row is "served less scale x rate". A demand is never served beyond its rate.
    const double rate = scaled ? 0.0 : demand.rate_hz;
    p.demand_rows.push_back(p.lp.add_row(may_drop ? -kInfinity : rate, rate));
  }
  if (may_drop) {
    const double wanted = scaled ? 0.0 : total_rate(demands) * (1.0 - terms.drop_share);
    p.total_row = p.lp.add_row(wanted, kInfinity);
  }
  return p;
}

void add_ways(Programme& p, std::span<const ProcessorGroup> groups, const std::vector<Way>& ways,
              bool with_energy) {
  for (const Way& way : ways) {
    Column column;
    column.cost = with_energy ? way.energy_uj : 0.0;
    column.entries = {{p.group_rows[way.group], way.seconds}, {p.demand_rows[way.demand], 1.0}};
    if (const auto link = p.link_rows.find(groups[way.group].link);
        link != p.link_rows.end() && way.kbits > 0.0) {
      column.entries.push_back({link->second, way.kbits});
    }
    if (p.total_row >= 0) {
      column.entries.push_back({p.total_row, 1.0});
    }
    p.lp.add_column(column);
    p.ways.push_back(way);
  }
}

// Why nothing can be served at all, or not all of it.
Error too_much(std::span<const ProcessorGroup> groups, std::span<const Demand> demands) {
  for (std::size_t d = 0; d < demands.size(); ++d) {
    const bool served = std::any_of(groups.begin(), groups.end(), [&](const ProcessorGroup& g) {
      return g.count > 0 && !ways_of(g, 0, demands[d], 0).empty();
    });
    if (demands[d].rate_hz > 0.0 && !served) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("demand {} can be served by no device: its model, accuracy floor, "
                              "energy limit or deadline fits no variant; relax it or add a device",
                              d + 1));
    }
  }
  return fail(ErrorCode::Unsupported,
              "the demand is more than the fleet's capacity: lower the rates, allow more drops, or "
              "add devices (the capacity says by how much)");
}

std::int64_t rounded(double value) { return std::llround(value); }

void report_use(const Programme& p, std::span<const ProcessorGroup> groups, FluidResult& result) {
  const std::span<const double> values = p.lp.values();
  std::vector<double> busy(groups.size(), 0.0);
  for (std::size_t w = 0; w < p.ways.size(); ++w) {
    const Way& way = p.ways[w];
    busy[way.group] += values[w] * way.seconds;
    const std::int64_t rate_uhz = rounded(values[w] * 1e6);
    if (rate_uhz >= kFlowMinUhz) {
      result.flows.push_back({way.demand, way.group, way.option, rate_uhz});
    }
  }
  std::sort(result.flows.begin(), result.flows.end(), [](const Flow& a, const Flow& b) {
    return std::tuple(a.demand, a.group, a.option) < std::tuple(b.demand, b.group, b.option);
  });
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double share = groups[g].count > 0 ? busy[g] / static_cast<double>(groups[g].count) : 0.0;
    result.busy_ppm.push_back(std::clamp<std::int64_t>(rounded(share * 1e6), 0, 1'000'000));
  }
}

// The dual's value at these prices, recomputed: a lower bound whatever the prices are.
double dual_power(const std::vector<Way>& ways, std::span<const double> group_prices,
                  const std::map<std::uint32_t, double>& link_prices, double drop_price,
                  std::span<const ProcessorGroup> groups, std::span<const Demand> demands,
                  const FluidTerms& terms) {
  std::vector<double> task_price(demands.size(), terms.drop_share > 0.0 ? drop_price : kInfinity);
  for (const Way& way : ways) {
    double cost = way.energy_uj + group_prices[way.group] * way.seconds;
    if (const auto link = link_prices.find(groups[way.group].link); link != link_prices.end()) {
      cost += link->second * way.kbits;
    }
    task_price[way.demand] = std::min(task_price[way.demand], cost);
  }
  double power =
      -(terms.drop_share > 0.0 ? drop_price : 0.0) * terms.drop_share * total_rate(demands);
  for (std::size_t d = 0; d < demands.size(); ++d) {
    power += demands[d].rate_hz > 0.0 ? task_price[d] * demands[d].rate_hz : 0.0;
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    power -= group_prices[g] * static_cast<double>(groups[g].count) * terms.utilisation_max;
  }
  std::set<std::uint32_t> counted;
  for (const ProcessorGroup& group : groups) {
    const auto link = link_prices.find(group.link);
    if (link != link_prices.end() && counted.insert(group.link).second) {
      power -= link->second * static_cast<double>(group.link_kbits);
    }
  }
  return power;
}

}  // namespace

Result<FluidResult> fluid_energy(std::span<const ProcessorGroup> groups,
                                 std::span<const Demand> demands, const FluidTerms& terms) {
  if (const Result<void> ok = check_input(demands, terms); !ok) {
    return ok.error();
  }
  Programme p = make_rows(groups, demands, terms, false);
  std::vector<Way> all;
  for (std::uint32_t d = 0; d < demands.size(); ++d) {
    for (std::uint32_t g = 0; g < groups.size(); ++g) {
      std::vector<Way> ways = ways_of(groups[g], g, demands[d], d);
      for (const Way& way : ways) {
        if (!groups[g].options[way.option].energy_known && demands[d].rate_hz > 0.0) {
          return unknown_energy(groups[g], groups[g].options[way.option]);
        }
      }
      all.insert(all.end(), ways.begin(), ways.end());
      keep_hull(ways);
      add_ways(p, groups, ways, true);
    }
  }
  if (const Result<void> ok = p.lp.minimise(); !ok) {
    return ok.error().code == ErrorCode::Unsupported ? too_much(groups, demands) : ok.error();
  }
  const std::span<const double> prices = p.lp.prices();
  FluidResult result;
  std::vector<double> group_prices;
  for (const int row : p.group_rows) {
    group_prices.push_back(std::max(0.0, -prices[static_cast<std::size_t>(row)]));
    result.price_uw.push_back(rounded(group_prices.back()));
  }
  std::map<std::uint32_t, double> link_prices;
  for (const auto& [link, row] : p.link_rows) {
    link_prices[link] = std::max(0.0, -prices[static_cast<std::size_t>(row)]);
  }
  const double drop_price =
      p.total_row < 0 ? 0.0 : std::max(0.0, prices[static_cast<std::size_t>(p.total_row)]);
  const double power =
      dual_power(all, group_prices, link_prices, drop_price, groups, demands, terms);
  result.power_uw = static_cast<std::int64_t>(std::floor(std::max(0.0, power)));
  result.scale_ppm = 1'000'000;
  report_use(p, groups, result);
  return result;
}

Result<FluidResult> fluid_capacity(std::span<const ProcessorGroup> groups,
                                   std::span<const Demand> demands, const FluidTerms& terms) {
  if (const Result<void> ok = check_input(demands, terms); !ok) {
    return ok.error();
  }
  Programme p = make_rows(groups, demands, terms, true);
  for (std::uint32_t d = 0; d < demands.size(); ++d) {
    for (std::uint32_t g = 0; g < groups.size(); ++g) {
      std::vector<Way> ways = ways_of(groups[g], g, demands[d], d);
      keep_hull(ways);
      if (ways.size() > 1) {
        ways.resize(1);  // the fastest per task is all that capacity asks for
      }
      add_ways(p, groups, ways, false);
    }
  }
  Column scale;
  scale.cost = -1.0;
  for (std::size_t d = 0; d < demands.size(); ++d) {
    scale.entries.push_back({p.demand_rows[d], -demands[d].rate_hz});
  }
  if (p.total_row >= 0) {
    scale.entries.push_back({p.total_row, -total_rate(demands) * (1.0 - terms.drop_share)});
  }
  const int scale_column = p.lp.add_column(scale);
  if (const Result<void> ok = p.lp.minimise(); !ok) {
    return ok.error();
  }
  const double factor = p.lp.values()[static_cast<std::size_t>(scale_column)];
  if (factor < 1e-6) {
    return too_much(groups, demands);
  }
  FluidResult result;
  result.scale_ppm = rounded(factor * 1e6);
  result.price_uw.assign(groups.size(), 0);
  report_use(p, groups, result);
  return result;
}

}  // namespace juggler::bounds
