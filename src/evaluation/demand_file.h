#pragma once
// A demand with the boards that may serve it (TOML): a scenario's classes, and offers in place of
// its devices. docs/cli.md#juggler-plan has the format.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bounds/plan.h"
#include "core/result.h"
#include "sim/scenario.h"

namespace juggler::evaluation {

inline constexpr std::size_t kOffersMax = 32;

struct OfferedBoard {
  std::string board;    // of profiles/
  std::string network;  // of the network profiles
  double price = 0.0;
  std::int64_t count_min = 0;
  std::int64_t count_max = 100;
  std::vector<std::string> variants;  // all where it is empty
};

struct DemandFile {
  std::string origin;
  std::string scenario_text;  // the file without its offers, its lines where they were
  std::vector<OfferedBoard> offers;
  bounds::PlanTerms terms;
};

// errors  file, line, key and reason
Result<DemandFile> load_demand(const std::filesystem::path& file);
Result<DemandFile> parse_demand(std::string_view text, const std::string& origin);

// The scenario with so many of each board: the devices of offer i are called "<board>-i-1", ….
//
// errors  file, line, key and reason; a class without a rate in Hz
Result<Scenario> scenario_of(const DemandFile& demand, const std::vector<std::int64_t>& counts,
                             const std::filesystem::path& home);

// The cheapest fleet by the fluid programme, with `terms` in place of the file's.
//
// errors  as scenario_of() and plan_fleet()
Result<bounds::FleetPlan> plan_of(const DemandFile& demand, const bounds::PlanTerms& terms,
                                  const std::filesystem::path& home);

}  // namespace juggler::evaluation
