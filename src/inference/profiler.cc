#include "inference/profiler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"

namespace juggler {
namespace {

constexpr std::size_t kGroups = 10;
constexpr double kStudentT = 2.262;  // 95 %, two-sided, nine degrees of freedom
constexpr std::size_t kWindow = 5;   // of the warm-up
constexpr int kRunsBetweenLooks = 10;
constexpr std::size_t kRunsMost = 1'000'000;  // for a meter's sake

// The nearest rank, of sorted times.
Micros percentile(const std::vector<std::int64_t>& sorted, std::size_t percent) {
  const std::size_t rank = (sorted.size() * percent + 99) / 100;
  return {sorted[std::max<std::size_t>(rank, 1) - 1]};
}

std::int64_t sum(const std::vector<std::int64_t>& times, std::size_t from, std::size_t to) {
  return std::accumulate(times.begin() + static_cast<std::ptrdiff_t>(from),
                         times.begin() + static_cast<std::ptrdiff_t>(to), std::int64_t{0});
}

double half_width(const std::vector<std::int64_t>& times) {
  std::vector<double> means;
  for (std::size_t g = 0; g < kGroups; ++g) {
    const std::size_t from = g * times.size() / kGroups;
    const std::size_t to = (g + 1) * times.size() / kGroups;
    means.push_back(static_cast<double>(sum(times, from, to)) / static_cast<double>(to - from));
  }
  const double mean = std::accumulate(means.begin(), means.end(), 0.0) / kGroups;
  double squares = 0.0;
  for (const double one : means) {
    squares += (one - mean) * (one - mean);
  }
  return kStudentT * std::sqrt(squares / (kGroups - 1) / kGroups);
}

bool steady(const std::vector<std::int64_t>& times) {
  if (times.size() < 2 * kWindow) {
    return false;
  }
  const std::int64_t before = sum(times, times.size() - 2 * kWindow, times.size() - kWindow);
  const std::int64_t now = sum(times, times.size() - kWindow, times.size());
  return std::abs(now - before) * 20 <= before;
}

// Runs until `enough`; what they took.
template <class Enough>
Result<std::vector<std::int64_t>> runs_until(const std::function<Result<Micros>()>& run,
                                             const std::function<bool()>& stop, Micros time_max,
                                             Enough enough) {
  std::vector<std::int64_t> times;
  std::int64_t spent = 0;
  while (!enough(times, Micros{spent}, spent >= time_max.count)) {
    if (stop && stop()) {
      return fail(ErrorCode::Unavailable, "stopped");
    }
    const Result<Micros> took = run();
    if (!took) {
      return took.error();
    }
    times.push_back(std::max<std::int64_t>(took->count, 1));
    spent += times.back();
  }
  return times;
}

}  // namespace

MeasuredPoint describe_runs(std::vector<std::int64_t> times_us) {
  JUGGLER_CHECK(times_us.size() >= kGroups, "an interval needs ten runs");
  const auto half = static_cast<std::int64_t>(std::ceil(half_width(times_us)));
  MeasuredPoint point;
  point.samples = static_cast<int>(times_us.size());
  point.mean = {std::max<std::int64_t>(
      sum(times_us, 0, times_us.size()) / static_cast<std::int64_t>(times_us.size()), 1)};
  point.low = {std::max<std::int64_t>(point.mean.count - half, 1)};
  point.high = {point.mean.count + half};
  std::sort(times_us.begin(), times_us.end());
  point.min = {times_us.front()};
  point.p50 = percentile(times_us, 50);
  point.p90 = percentile(times_us, 90);
  // A profile's p95 is no less than its mean, which one outlier in thirty can lift above it.
  point.p95 = std::max(percentile(times_us, 95), point.mean);
  point.p99 = percentile(times_us, 99);
  return point;
}

Result<MeasuredPoint> measure_point(const std::function<Result<Micros>()>& run,
                                    const MeasuringGoal& goal, const std::function<bool()>& stop,
                                    const std::function<void()>& warm) {
  const auto warmed =
      runs_until(run, stop, goal.warm_up_max,
                 [](const std::vector<std::int64_t>& times, Micros /*spent*/, bool time_is_up) {
                   return steady(times) || (time_is_up && !times.empty());
                 });
  if (!warmed) {
    return warmed.error();
  }
  if (warm) {
    warm();
  }
  const auto known = [&goal](const std::vector<std::int64_t>& times, Micros spent,
                             bool time_is_up) {
    const auto count = static_cast<int>(times.size());
    if (spent < goal.time_min && times.size() < kRunsMost) {
      return false;
    }
    if (count < static_cast<int>(kGroups) || (count < goal.runs_min && !time_is_up)) {
      return false;
    }
    return time_is_up || count >= goal.runs_max ||
           (count % kRunsBetweenLooks == 0 && describe_runs(times).precise(goal));
  };
  Result<std::vector<std::int64_t>> times = runs_until(run, stop, goal.time_max, known);
  if (!times) {
    return times.error();
  }
  return describe_runs(std::move(*times));
}

}  // namespace juggler
