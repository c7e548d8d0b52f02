#pragma once
// What `juggler profile` has measured of a machine, as a file: a board's profile that twins read
// (docs/profiles.md), with the distribution of every point, the runs on other numbers of threads,
// and the conditions.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "core/units.h"
#include "inference/calibration_file.h"
#include "inference/profiler.h"
#include "runtime/run_meter.h"

namespace juggler {

// A variant on one processor.
struct ProfiledVariant {
  std::string model_sha256;
  Bytes memory;
  Micros load;
  std::vector<MeasuredPoint> points;  // sorted by threads, then batch

  const MeasuredPoint* find(int threads, int batch) const;
};

struct ProfiledLane {
  std::string id;
  ProcessorKind kind = ProcessorKind::Cpu;
  std::string runtime;  // the engine, without its threads
  std::map<std::string, ProfiledVariant> variants;
  std::map<std::string, MeasuredSlowdown> slowdowns;  // by the other lane's id

  // The number of threads that serves pictures one by one fastest: the least sum, over the variants
  // measured on all numbers, of logarithms, so that none outweighs the others. A further thread has
  // to gain a tenth.
  int best_threads() const;
};

// The machine without work, before and after.
struct IdleState {
  std::optional<std::int64_t> load_permille;
  std::optional<std::int64_t> temperature_millicelsius;
};

// The meter of its energies.
struct ProfileMeter {
  std::string name;
  PowerScope scope = PowerScope::BoardInput;
  Evidence evidence = Evidence::Measured;
  std::optional<RestPower> at_rest;
  // To the board's input, from the published profile of the board, where that is of this scope.
  std::optional<ScopeConversion> to_board_input;
  std::string conversion_source;
};

struct MachineProfile {
  std::string name;  // of the file, and of twins made from it
  std::string title;
  std::string machine;  // the processor's name
  std::string date;
  std::string program;        // "juggler 0.1.0"
  std::string note;           // what a reader should know of the conditions
  std::string energy_absent;  // why there is no meter
  std::optional<ProfileMeter> meter;
  MeasuredMode mode;  // the power mode and clocks that were set
  Bytes memory;
  IdleState before;
  IdleState after;
  std::map<std::string, ProfiledLane> lanes;  // by id
  BoardCurves curves;                         // as somebody wrote them: they are not measured
};

std::string profile_text(const MachineProfile& profile);
Result<void> save_profile(const MachineProfile& profile, const std::filesystem::path& file);
// What a device announces of this lane when it serves, in place of its own quick measurements.
Calibration calibration_of(const MachineProfile& profile, const ProfiledLane& lane);
// errors  NotFound: no file; else what is wrong with it, and where
Result<MachineProfile> load_profile(const std::filesystem::path& file);

}  // namespace juggler
