#pragma once
// Measuring what one batch costs until it is known well enough: warm-up, runs, and what can be said
// of them. Pure but for the run that it is given; tests give it numbers.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/evidence.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

struct MeasuringGoal {
  // The 95 % interval of the mean shall be this wide at most, each way, in thousandths of the mean.
  std::int64_t precision_permille = 20;
  int runs_min = 30;
  int runs_max = 2000;
  Micros time_max = seconds(10);  // for the runs of one point; then it is as good as it is
  Micros warm_up_max = seconds(3);
  Micros time_min;  // with a meter: for fewer runs its figure would be worth little
};

// What the runs of one batch size on one number of threads say.
struct MeasuredPoint {
  int batch = 1;
  int threads = 1;
  int samples = 0;
  Micros mean;
  Micros low;  // the 95 % interval of the mean
  Micros high;
  Micros min;
  Micros p50;
  Micros p90;
  Micros p95;
  Micros p99;
  std::optional<EnergyFigure> energy;       // above idle, of the batch
  std::optional<Milliwatts> power;          // of the whole device while it ran
  std::optional<std::int64_t> temperature;  // millicelsius, of the hottest zone after it
  bool throttled = false;                   // heat or current held the clocks down then

  bool precise(const MeasuringGoal& goal) const {
    return (high - mean).count * 1000 <= mean.count * goal.precision_permille;
  }
  // In thousandths of a picture, so that slow networks keep their digits.
  std::int64_t millipictures_per_s() const {
    return mean.count > 0 ? std::int64_t{1'000'000'000} * batch / mean.count : 0;
  }

  friend bool operator==(const MeasuredPoint&, const MeasuredPoint&) = default;
};

// The interval comes from the means of ten groups of consecutive runs (Student's t): neighbours are
// alike, because a core that is slow now is slow in a moment, and single runs would promise too
// much.
//
// requires  at least ten times, in the order in which they were taken
MeasuredPoint describe_runs(std::vector<std::int64_t> times_us);

// Runs until the goal is met, its time is up, or `stop` says so. The first runs are thrown away
// until five in a row take as long as the five before (within a twentieth).
//
// `warm` is told that the runs that count begin; it may be empty.
//
// errors  those of `run`; Unavailable: stopped
Result<MeasuredPoint> measure_point(const std::function<Result<Micros>()>& run,
                                    const MeasuringGoal& goal, const std::function<bool()>& stop,
                                    const std::function<void()>& warm = {});

}  // namespace juggler
