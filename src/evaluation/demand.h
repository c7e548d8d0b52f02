#pragma once
// A scenario as the bounds see it: its devices as supply, its classes as demand; and the capacity
// that its loads are shares of.

#include <vector>

#include "bounds/supply.h"
#include "core/result.h"
#include "sim/scenario.h"

namespace juggler::evaluation {

// Which facts of a device: those it announces, by which loads are resolved, or those that hold,
// which no schedule can beat.
enum class FactsKind { Announced, Truth };

// requires  `scenario` outlives the result
std::vector<bounds::SupplyDevice> supply_of(const Scenario& scenario, FactsKind kind);

// One per class, with the controller's defaults filled in; the rates are the classes' shares.
std::vector<bounds::Demand> demands_of(const Scenario& scenario);

// The highest rate of the scenario's mix that the fluid programme can serve on the fleet as it
// announces itself.
//
// errors  Unsupported: which class no device may serve
Result<double> capacity_hz(const Scenario& scenario);

// Turns loads into rates where there are any.
Result<void> resolve_loads(Scenario& scenario);

}  // namespace juggler::evaluation
