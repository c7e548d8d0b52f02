#pragma once
// Where a number comes from. Every figure of time, energy or accuracy that a person or a decision
// sees carries its evidence, and energy also the place where the meter sits.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "core/units.h"

namespace juggler {

// How a figure is known, best first.
enum class Evidence {
  Measured,   // on this device, by its own clock or meter
  Published,  // measured by somebody else, with a citation
  Derived,    // computed from published figures by a documented rule
  Estimated,  // from a model with coefficients of this device or a neighbour's
  Assumed,    // nobody measured it: an assumption with an interval and its basis
};

// What an energy or power figure includes. Joules of different scopes are not the same joules.
enum class PowerScope {
  ModuleRail,  // the module's input rail (Jetson VDD_IN, POM_5V_IN)
  RailSum,     // rails behind their regulators, added up (AGX Orin, Raspberry Pi 5): less than it
  BoardInput,  // the board's supply
  Wall,        // AC, with the supply's losses
  Package,     // a processor package (RAPL) or a share of one
};

// An energy with its interval, evidence and scope: above idle, for one batch.
struct EnergyFigure {
  Microjoules value;
  Microjoules low;
  Microjoules high;
  Evidence evidence = Evidence::Assumed;
  PowerScope scope = PowerScope::BoardInput;

  friend bool operator==(const EnergyFigure&, const EnergyFigure&) = default;
};

// Names in messages, files and tables. The parsers return nothing for an unknown name.
std::string_view to_string(Evidence evidence);
std::string_view to_string(PowerScope scope);
std::optional<Evidence> parse_evidence(std::string_view name);
std::optional<PowerScope> parse_power_scope(std::string_view name);

}  // namespace juggler
