#include "telemetry/load_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>
#include <utility>

#include "telemetry/parse_proc.h"

namespace juggler {
namespace {

constexpr std::size_t kLevelsMax = 9;
// So long without an answer, the meter is gone.
constexpr Micros kSilentMax = seconds(15);
constexpr std::chrono::milliseconds kDutyPeriod{20};

// Both at one moment.
struct Look {
  Time at;
  CpuTimes cpu;
  MeterReading meter;
};

class LevelRun {
 public:
  LevelRun(const LoadCalibrationPlan& plan, const LoadCalibrationPorts& ports)
      : plan_(plan), ports_(ports), facts_(ports.meter.facts()) {}

  Result<LoadLevel> measure(double cores, std::size_t index) {
    LoadLevel level;
    level.cores = cores;
    ports_.load(cores);
    if (!ports_.wait(std::max(plan_.settles, facts_.window * 2))) {
      return stopped();
    }
    const Time begin = ports_.now();
    while (ports_.now() - begin < plan_.level_time || level.points.empty()) {
      Result<LoadPoint> point = window();
      if (!point) {
        return point.error();
      }
      level.points.push_back(*point);
      if (ports_.progress) {
        const auto share = static_cast<double>((ports_.now() - begin).count) /
                           static_cast<double>(std::max<std::int64_t>(plan_.level_time.count, 1));
        ports_.progress(index, plan_.levels.size(), std::min(share, 1.0));
      }
    }
    return level;
  }

 private:
  static Error stopped() { return fail(ErrorCode::Unavailable, "stopped"); }

  Result<Look> look() {
    const Time since = ports_.now();
    while (true) {
      const Fact<MeterReading> reading = ports_.meter.read(ports_.now());
      const Fact<std::string> text = ports_.host.text("proc/stat");
      const auto stat = text.value.has_value() ? parse_cpu_stat(*text.value) : std::nullopt;
      if (reading.value.has_value() && stat.has_value()) {
        return Look{ports_.now(), stat->all, *reading.value};
      }
      if (ports_.now() - since >= kSilentMax) {
        return reading.value.has_value()
                   ? fail(ErrorCode::Unavailable, "proc/stat cannot be read: no load is known")
                   : fail(ErrorCode::Unavailable,
                          fmt::format("{} has not answered for {} s: {} ({})", facts_.name,
                                      kSilentMax.count / 1'000'000, to_string(reading.why),
                                      reading.source));
      }
      if (!ports_.wait(std::max(facts_.period, milliseconds(200)))) {
        return stopped();
      }
    }
  }

  // One point: the load and the mean power of a window.
  Result<LoadPoint> window() {
    const Micros length = std::max(plan_.window_min, facts_.period * 2);
    const Result<Look> first = look();
    if (!first) {
      return first.error();
    }
    double sum = 0.0;
    int count = 0;
    while (true) {
      if (!ports_.wait(std::max(facts_.period, milliseconds(20)))) {
        return stopped();
      }
      const Result<Look> next = look();
      if (!next) {
        return next.error();
      }
      sum += static_cast<double>(next->meter.power.count) / 1000;
      count += 1;
      if (next->at - first->at >= length) {
        return point_of(*first, *next, sum / count);
      }
    }
  }

  Result<LoadPoint> point_of(const Look& first, const Look& last, double watts) const {
    const std::int64_t used = last.cpu.user - first.cpu.user;
    const std::int64_t rested = last.cpu.idle - first.cpu.idle;
    if (used < 0 || rested < 0 || used + rested <= 0) {
      return fail(ErrorCode::Unavailable, "proc/stat says nothing of the load: it stood still");
    }
    LoadPoint point;
    point.load = static_cast<double>(used) / static_cast<double>(used + rested);
    point.watts = watts;
    if (facts_.counter) {
      const auto joules = static_cast<double>((last.meter.energy - first.meter.energy).count) / 1e6;
      point.watts = joules / (static_cast<double>((last.at - first.at).count) / 1e6);
    }
    return point;
  }

  const LoadCalibrationPlan& plan_;
  const LoadCalibrationPorts& ports_;
  const MeterFacts facts_;
};

// Arithmetic that no compiler leaves out.
double work_for(std::chrono::steady_clock::time_point until, double value) {
  while (std::chrono::steady_clock::now() < until) {
    for (int i = 0; i < 2'000; ++i) {
      value = std::fma(value, 0.999'999, 1e-6);
    }
  }
  return value;
}

}  // namespace

LoadPoint LoadLevel::mean() const {
  LoadPoint mean;
  for (const LoadPoint& point : points) {
    mean.load += point.load / static_cast<double>(points.size());
    mean.watts += point.watts / static_cast<double>(points.size());
  }
  return mean;
}

std::vector<double> load_levels(int cores) {
  std::vector<double> levels;
  if (cores < 3) {
    for (int halves = 0; halves <= 2 * cores; ++halves) {
      levels.push_back(halves / 2.0);
    }
    return levels;
  }
  const auto steps = std::min<std::size_t>(static_cast<std::size_t>(cores), kLevelsMax - 1);
  for (std::size_t step = 0; step <= steps; ++step) {
    levels.push_back(std::round(static_cast<double>(step) * cores / static_cast<double>(steps)));
  }
  return levels;
}

Result<std::vector<LoadLevel>> measure_load_levels(const LoadCalibrationPlan& plan,
                                                   const LoadCalibrationPorts& ports) {
  LevelRun run(plan, ports);
  std::vector<LoadLevel> levels;
  for (std::size_t i = 0; i < plan.levels.size(); ++i) {
    Result<LoadLevel> level = run.measure(plan.levels[i], i);
    if (!level) {
      ports.load(0.0);
      return level.error();
    }
    levels.push_back(std::move(*level));
  }
  ports.load(0.0);
  return levels;
}

Result<LoadModel> fit_load_levels(const std::vector<LoadLevel>& levels, PowerScope scope,
                                  std::string source) {
  std::vector<LoadPoint> points;
  for (const LoadLevel& level : levels) {
    points.insert(points.end(), level.points.begin(), level.points.end());
  }
  return fit_load_model(points, scope, std::move(source));
}

struct BusyCores::Threads {
  std::vector<std::jthread> running;
};

BusyCores::BusyCores() : threads_(std::make_unique<Threads>()) {}
BusyCores::~BusyCores() = default;

void BusyCores::set(double cores) {
  threads_->running.clear();  // asks each to stop and waits for it
  for (double left = cores; left > 0.0; left -= 1.0) {
    const double duty = std::min(left, 1.0);
    threads_->running.emplace_back([duty](const std::stop_token& stop) {
      double value = 0.0;
      while (!stop.stop_requested()) {
        const auto begin = std::chrono::steady_clock::now();
        const auto busy = std::chrono::duration_cast<std::chrono::nanoseconds>(kDutyPeriod * duty);
        value = work_for(begin + busy, value);
        std::this_thread::sleep_until(begin + (duty < 1.0 ? kDutyPeriod : busy));
      }
    });
  }
}

}  // namespace juggler
