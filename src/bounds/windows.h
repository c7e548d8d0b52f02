#pragma once
// Finds good prices for the hindsight programme: from the first task to the last, one window of
// tasks at a time, each by column generation over the window and a look ahead.

#include <cstdint>

#include "bounds/pricing.h"
#include "bounds/timeline.h"
#include "core/result.h"

namespace juggler::bounds {

struct WindowTerms {
  double price_max = 0.0;  // of a task: what leaving it out costs
  double seconds_max = 60.0;
};

struct WindowReport {
  std::int64_t columns = 0;
  std::int64_t iterations = 0;
  bool in_time = true;
};

// Prices that no batch exceeds by more than a thousandth; make_feasible() removes that rest.
//
// requires  `start` holds first guesses of the prices, used where the time is up
Result<WindowReport> improve_prices(const Timeline& timeline, const WindowTerms& terms,
                                    Prices& prices);

}  // namespace juggler::bounds
