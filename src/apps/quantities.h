#pragma once
// Quantities as people write and read them: every number with its unit.

#include <optional>
#include <string>
#include <string_view>

#include "core/evidence.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

// "200ms", "2s", "1.5s", "800us", "5min". A number without a unit is refused: nobody should have to
// guess whether 200 is milliseconds.
Result<Micros> parse_duration(std::string_view text);
// "500mJ", "1.5J", "800uJ".
Result<Microjoules> parse_energy(std::string_view text);
// "60W", "500mW", "1.5kW".
Result<Milliwatts> parse_power(std::string_view text);
// "256MiB", "1GiB", "512KiB".
Result<Bytes> parse_size(std::string_view text);
// "75", "75.1", "75%": top-1, the one quantity whose unit is plain.
Result<MilliPercent> parse_percent(std::string_view text);

// Three digits and a unit: "8.14 ms", "1.02 s"; energies two: "35 mJ".
std::string show(Micros duration);
std::string show(Microjoules energy);
std::string show(Milliwatts power);  // "7.5 W"
std::string show(Bytes size);
std::string show(MilliPercent accuracy);  // "75.1 %"

// "35 mJ (16-73)": the interval in the value's unit.
std::string show_interval(const EnergyFigure& energy);
// "assumed, module rail"
std::string show_source(const EnergyFigure& energy);

}  // namespace juggler
