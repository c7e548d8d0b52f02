#include "evaluation/bound.h"

#include <algorithm>

#include "bounds/fluid.h"
#include "bounds/hindsight.h"
#include "evaluation/demand.h"
#include "sim/workload.h"

namespace juggler::evaluation {

std::string_view to_string(BoundKind kind) {
  switch (kind) {
    case BoundKind::Fluid:
      return "fluid";
    case BoundKind::Hindsight:
      return "hindsight";
    case BoundKind::None:
      break;
  }
  return "none";
}

std::optional<BoundKind> parse_bound_kind(std::string_view name) {
  for (const BoundKind kind : {BoundKind::None, BoundKind::Fluid, BoundKind::Hindsight}) {
    if (to_string(kind) == name) {
      return kind;
    }
  }
  return std::nullopt;
}

Result<RunBound> fluid_bound(const Scenario& scenario, const sim::RunResult& result) {
  if (result.on_time == 0) {
    return fail(ErrorCode::Unsupported, "no task was completed in time");
  }
  std::vector<bounds::Demand> demands = demands_of(scenario);
  Micros longest;
  for (const bounds::Demand& demand : demands) {
    longest = std::max(longest, *demand.requirements.deadline);
  }
  // The last task may be served until its deadline.
  const double span_s = static_cast<double>((result.duration + longest).count) / 1e6;
  std::vector<bounds::Demand> offered;
  for (std::size_t c = 0; c < demands.size(); ++c) {
    demands[c].rate_hz = static_cast<double>(result.classes[c].offered) / span_s;
    if (result.classes[c].offered > 0) {
      offered.push_back(std::move(demands[c]));
    }
  }
  RunBound bound;
  bound.kind = BoundKind::Fluid;
  bound.drop_share =
      1.0 - static_cast<double>(result.on_time) / static_cast<double>(result.offered);
  const std::vector<bounds::SupplyDevice> supply = supply_of(scenario, FactsKind::Truth);
  const Result<bounds::FluidResult> fluid = bounds::fluid_energy(
      bounds::group_processors(supply), offered, {.drop_share = bound.drop_share});
  if (!fluid) {
    return fluid.error();
  }
  bound.energy_uj = static_cast<std::int64_t>(static_cast<double>(fluid->power_uw) * span_s);
  bound.fluid_uj = bound.energy_uj;
  return bound;
}

Result<RunBound> hindsight_bound(const Scenario& scenario, double seconds_max) {
  Result<Workload> workload = Workload::open(scenario);
  if (!workload) {
    return workload.error();
  }
  const std::vector<bounds::Demand> demands = demands_of(scenario);
  std::vector<bounds::Arrival> arrivals;
  while (const std::optional<Arrival> next = workload->next()) {
    if (next->at >= Time{} + scenario.warm_up) {
      arrivals.push_back({.at = next->at,
                          .deadline = next->at + *demands[next->demand].requirements.deadline,
                          .demand = static_cast<std::uint32_t>(next->demand)});
    }
  }
  const std::vector<bounds::SupplyDevice> supply = supply_of(scenario, FactsKind::Truth);
  const Result<bounds::HindsightResult> hindsight =
      bounds::hindsight_energy(bounds::group_processors(supply), demands, arrivals,
                               {.drop_share = kHindsightDropShare, .seconds_max = seconds_max});
  if (!hindsight) {
    return hindsight.error();
  }
  return RunBound{.kind = BoundKind::Hindsight,
                  .energy_uj = hindsight->energy_uj,
                  .drop_share = kHindsightDropShare,
                  .fluid_uj = hindsight->fluid_uj,
                  .converged = hindsight->status == bounds::BoundStatus::Converged};
}

bool applies(const RunBound& bound, const sim::RunResult& result) {
  const auto missed = static_cast<double>(result.offered - result.on_time);
  return result.offered > 0 &&
         missed <= bound.drop_share * static_cast<double>(result.offered) + 1e-6;
}

double ratio_to(const RunBound& bound, const sim::RunResult& result) {
  return bound.energy_uj > 0 ? static_cast<double>(result.energy_completed.count) /
                                   static_cast<double>(bound.energy_uj)
                             : 0.0;
}

}  // namespace juggler::evaluation
