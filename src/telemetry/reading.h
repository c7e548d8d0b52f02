#pragma once
// One value of a sensor, with its age and its source, or why there is none.

#include <cstdint>
#include <string>
#include <vector>

#include "core/units.h"
#include "telemetry/absence.h"

namespace juggler {

struct Reading {
  std::string name;  // dotted, the unit last: "gpu.load_permille", "power.VDD_IN_mw"
  std::optional<std::int64_t> value;
  Absence why = Absence::None;
  Time at;             // when it was read
  std::string source;  // the file, below the host's root
};

// Collects what the probes read in one round.
class Readings {
 public:
  explicit Readings(Time now) : now_(now) {}

  void add(std::string name, std::int64_t value, std::string source) {
    list_.push_back({std::move(name), value, Absence::None, now_, std::move(source)});
  }
  void add_absent(std::string name, Absence why, std::string source) {
    list_.push_back({std::move(name), std::nullopt, why, now_, std::move(source)});
  }
  Time now() const { return now_; }
  const std::vector<Reading>& list() const { return list_; }
  // The value of that name; nothing where it is absent.
  std::optional<std::int64_t> value(std::string_view name) const;

 private:
  Time now_;
  std::vector<Reading> list_;
};

// Reads one kind of sensor. It keeps what it needs for differences.
//
// thread  the sampler's
class Probe {
 public:
  virtual ~Probe() = default;
  virtual void sample(Readings& readings) = 0;
};

}  // namespace juggler
