#pragma once
// A scenario live: its arrivals are sent to a fleet when they are due, and the same scenario is
// simulated beside it.

#include <cstdint>
#include <optional>
#include <string>

#include "apps/bench_run.h"
#include "core/result.h"

namespace juggler {

struct BenchOptions {
  std::string scenario;
  std::string home{};
  std::string broker{};  // address of a fleet that is up; empty: twins of one's own
  std::string policy{};  // empty: the scenario's
  std::string goal{};    // empty: the scenario's weights
  std::optional<std::uint64_t> seed{};
  std::size_t seeds = 1;
  std::optional<double> load{};
  bool loopback = false;
  bool no_simulation = false;
};

// Runs seed after seed, and tells on stderr how far it is. After a stop signal the report has the
// seeds that were finished.
//
// errors  InvalidArgument, Unsupported, NotFound: flags, or what of the scenario cannot be live;
//         Unavailable: the fleet
Result<BenchReport> run_bench(const BenchOptions& options);

}  // namespace juggler
