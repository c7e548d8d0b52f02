#pragma once
// How the power of a machine follows the load of its cores, against a reference meter: loads are
// made one after the other, the meter is read meanwhile, and a line is fitted
// (telemetry/estimate_meter.h). docs/energy.md says how.

#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "telemetry/estimate_meter.h"
#include "telemetry/host_files.h"
#include "telemetry/meter.h"

namespace juggler {

// What was seen while so many cores were kept busy.
struct LoadLevel {
  double cores = 0.0;
  std::vector<LoadPoint> points;  // one for each window

  LoadPoint mean() const;
};

struct LoadCalibrationPlan {
  std::vector<double> levels;       // in busy cores; more than one, in the order of measuring
  Micros settles = seconds(5);      // after a change of load: clocks, fans and the meter follow
  Micros level_time = seconds(30);  // then, for each
  Micros window_min = seconds(1);   // of one point; two of the meter's periods at least
};
// 0, 1 and so on to all cores, nine levels at most; by halves where there are fewer than three.
std::vector<double> load_levels(int cores);

// What the calibration needs of the world; tests give it a clock of their own.
struct LoadCalibrationPorts {
  PowerMeter& meter;
  HostFiles& host;                         // proc/stat
  std::function<void(double cores)> load;  // keeps so many cores busy from now on
  std::function<Time()> now;
  std::function<bool(Micros)> wait;  // false: stopped meanwhile
  // Told once a window: which level of how many, and how much of it is over. May be empty.
  std::function<void(std::size_t level, std::size_t levels, double share)> progress;
};

// Goes through the levels, and leaves no load behind.
//
// errors  Unavailable: stopped; a meter or a proc/stat that does not answer for kSilentMax
Result<std::vector<LoadLevel>> measure_load_levels(const LoadCalibrationPlan& plan,
                                                   const LoadCalibrationPorts& ports);

// The line through all points of all levels.
//
// errors  as fit_load_model()
Result<LoadModel> fit_load_levels(const std::vector<LoadLevel>& levels, PowerScope scope,
                                  std::string source);

// Keeps cores busy with arithmetic, on a thread for each, which share them with other programs as
// any work does. Ends with the object.
class BusyCores {
 public:
  BusyCores();
  ~BusyCores();
  BusyCores(const BusyCores&) = delete;
  BusyCores& operator=(const BusyCores&) = delete;
  // A half: one that works for half of each 20 ms.
  void set(double cores);

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace juggler
