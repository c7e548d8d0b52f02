#pragma once
// The INA3221 of Jetsons: which rails there are, by the IIO driver of JetPack 4 or the hwmon driver
// of JetPack 5 and later, what they carry, and which of them make the module's total.

#include <string>
#include <vector>

#include "core/evidence.h"
#include "core/units.h"
#include "telemetry/host_files.h"
#include "telemetry/reading.h"

namespace juggler {

struct PowerRail {
  std::string name;  // "VDD_IN"
  bool iio = false;  // else hwmon
  std::string folder;
  int channel = 0;
};

// The rails that together are all that the module takes; empty where the labels are unknown: a
// guessed sum would count some twice.
struct RailTotal {
  std::vector<PowerRail> rails;
  PowerScope scope = PowerScope::ModuleRail;
};

std::vector<PowerRail> find_rails(HostFiles& host);
RailTotal total_of(const std::vector<PowerRail>& rails);

// A hwmon read waits for the chip's next conversion: 13 ms and more, twice.
Fact<Milliwatts> read_rail(HostFiles& host, const PowerRail& rail);

// power.RAIL_mw of each rail.
class RailProbe final : public Probe {
 public:
  RailProbe(HostFiles& host, std::vector<PowerRail> rails)
      : host_(host), rails_(std::move(rails)) {}
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  std::vector<PowerRail> rails_;
};

}  // namespace juggler
