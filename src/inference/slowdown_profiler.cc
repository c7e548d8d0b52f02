#include "inference/slowdown_profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <numeric>
#include <thread>

#include "core/check.h"
#include "inference/synthetic_picture.h"

namespace juggler {
namespace {

// 95 %, two-sided, by degrees of freedom from 1 on.
constexpr std::array<double, 15> kStudentT{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                           2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131};

std::int64_t permille(double ratio) { return std::llround(ratio * 1000); }

// The mean of the runs of a block, but for its first, which meets what was there before.
Result<double> block_mean(const std::function<Result<Micros>()>& run, const SlowdownGoal& goal,
                          const std::function<bool()>& stop, int& runs) {
  if (const Result<Micros> first = run(); !first) {
    return first.error();
  }
  std::int64_t spent = 0;
  int count = 0;
  while (count < goal.runs_max && (count < goal.runs_min || spent < goal.block_min.count)) {
    if (stop && stop()) {
      return fail(ErrorCode::Unavailable, "stopped");
    }
    const Result<Micros> took = run();
    if (!took) {
      return took.error();
    }
    spent += std::max<std::int64_t>(took->count, 1);
    count += 1;
  }
  runs += count;
  return static_cast<double>(spent) / count;
}

// A lane with its variant loaded, and one picture to run.
class LoadedLane {
 public:
  static Result<std::unique_ptr<LoadedLane>> open(const LaneUnderTest& lane,
                                                  const ProfiledLane& known) {
    auto loaded = std::make_unique<LoadedLane>();
    loaded->id_ = lane.id;
    loaded->variant_ = middle_variant(known);
    Result<std::unique_ptr<InferenceEngine>> engine = lane.make_engine(known.best_threads());
    if (!engine) {
      return engine.error();
    }
    loaded->engine_ = std::move(*engine);
    if (Result<void> there = loaded->engine_->load(loaded->variant_); !there) {
      return there.error();
    }
    EngineInput input;
    input.payload.kind = PayloadKind::Jpeg;
    input.payload.width = kSyntheticWidth;
    input.payload.height = kSyntheticHeight;
    input.bytes = wire::make_body(synthetic_jpeg());
    loaded->input_.push_back(std::move(input));
    return loaded;
  }

  const std::string& id() const { return id_; }
  const std::string& variant() const { return variant_; }

  Result<Micros> run() {
    const BatchReport report = engine_->run(variant_, input_);
    if (report.outputs.front().status != AttemptStatus::Ok) {
      return fail(ErrorCode::Unavailable, report.outputs.front().reason);
    }
    return report.compute;
  }

 private:
  std::string id_;
  std::string variant_;
  std::unique_ptr<InferenceEngine> engine_;
  std::vector<EngineInput> input_;
};

// Computes on a thread of its own from begin() to end().
class Busy {
 public:
  explicit Busy(LoadedLane& lane) : lane_(lane) {}

  void begin() {
    failed_.reset();
    runs_ = 0;
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested() && !failed_.has_value()) {
        if (const Result<Micros> took = lane_.run(); !took) {
          failed_ = took.error();
        }
        runs_ += 1;
        runs_.notify_all();
      }
    });
    runs_.wait(0);  // until it has run, or failed: it surely computes now
  }

  Result<void> end() {
    thread_.request_stop();
    thread_.join();
    return failed_.has_value() ? Result<void>(*failed_) : Result<void>();
  }

  OtherLane lane() {
    return {[this] { begin(); }, [this] { return end(); }};
  }

 private:
  LoadedLane& lane_;
  std::optional<Error> failed_;  // the thread's until it has ended
  std::atomic<int> runs_ = 0;
  std::jthread thread_;
};

// Both of a pair, one after the other beside the other.
class PairProfiler {
 public:
  PairProfiler(const ProfilingOptions& options, const SlowdownGoal& goal, MachineProfile& profile,
               std::vector<std::string>& left)
      : options_(options), goal_(goal), profile_(profile), left_(left) {}

  Result<void> measure(const LaneUnderTest& a, const LaneUnderTest& b) {
    ProfiledLane& lane_a = profile_.lanes[a.id];
    ProfiledLane& lane_b = profile_.lanes[b.id];
    if (lane_a.slowdowns.contains(b.id) && lane_b.slowdowns.contains(a.id)) {
      return {};
    }
    Result<std::unique_ptr<LoadedLane>> one = LoadedLane::open(a, lane_a);
    Result<std::unique_ptr<LoadedLane>> other =
        one ? LoadedLane::open(b, lane_b) : Result<std::unique_ptr<LoadedLane>>(one.error());
    if (!other) {
      left_.push_back(fmt::format("{} and {} together: {}", a.id, b.id, other.error().message));
      return {};
    }
    if (Result<void> measured = measure_one(**one, **other, lane_a); !measured) {
      return measured;
    }
    return measure_one(**other, **one, lane_b);
  }

 private:
  Result<void> measure_one(LoadedLane& lane, LoadedLane& beside, ProfiledLane& known) {
    if (options_.progress) {
      options_.progress(0, 1, fmt::format("{} beside {}", lane.id(), beside.id()));
    }
    Busy busy(beside);
    Result<MeasuredSlowdown> slowdown =
        measure_slowdown([&lane] { return lane.run(); }, busy.lane(), goal_, options_.stop);
    if (!slowdown && options_.stop && options_.stop()) {
      return slowdown.error();
    }
    if (!slowdown) {
      left_.push_back(
          fmt::format("{} beside {}: {}", lane.id(), beside.id(), slowdown.error().message));
      return {};
    }
    slowdown->by = beside.id();
    slowdown->variant = lane.variant();
    slowdown->beside_variant = beside.variant();
    known.slowdowns[beside.id()] = std::move(*slowdown);
    return options_.keep ? options_.keep(profile_) : Result<void>();
  }

  const ProfilingOptions& options_;
  const SlowdownGoal& goal_;
  MachineProfile& profile_;
  std::vector<std::string>& left_;
};

}  // namespace

MeasuredSlowdown describe_ratios(const std::vector<double>& ratios) {
  JUGGLER_CHECK(ratios.size() >= 2, "an interval needs two blocks");
  const auto count = static_cast<double>(ratios.size());
  const double mean = std::accumulate(ratios.begin(), ratios.end(), 0.0) / count;
  double squares = 0.0;
  for (const double ratio : ratios) {
    squares += (ratio - mean) * (ratio - mean);
  }
  const double t = kStudentT[std::min(ratios.size() - 2, kStudentT.size() - 1)];
  const double half = t * std::sqrt(squares / (count - 1) / count);
  MeasuredSlowdown slowdown;
  slowdown.permille = permille(mean);
  slowdown.low = std::max<std::int64_t>(permille(mean - half), 100);
  slowdown.high = permille(mean + half);
  return slowdown;
}

Result<MeasuredSlowdown> measure_slowdown(const std::function<Result<Micros>()>& run,
                                          const OtherLane& other, const SlowdownGoal& goal,
                                          const std::function<bool()>& stop) {
  std::vector<double> ratios;
  int samples = 0;
  for (int block = 0; block < goal.blocks; ++block) {
    int uncounted = 0;
    const Result<double> alone = block_mean(run, goal, stop, uncounted);
    if (!alone) {
      return alone.error();
    }
    other.begin();
    const Result<double> beside = block_mean(run, goal, stop, samples);
    const Result<void> ended = other.end();
    if (!beside || !ended) {
      return beside ? ended.error() : beside.error();
    }
    ratios.push_back(*beside / *alone);
  }
  MeasuredSlowdown slowdown = describe_ratios(ratios);
  slowdown.samples = samples;
  return slowdown;
}

std::string middle_variant(const ProfiledLane& lane) {
  std::vector<std::pair<Micros, std::string>> times;
  for (const auto& [id, variant] : lane.variants) {
    if (const MeasuredPoint* one = variant.find(lane.best_threads(), 1)) {
      times.emplace_back(one->mean, id);
    }
  }
  std::sort(times.begin(), times.end());
  return times.empty() ? std::string() : times[times.size() / 2].second;
}

Result<void> profile_slowdowns(const std::vector<LaneUnderTest>& lanes,
                               const ProfilingOptions& options, const SlowdownGoal& goal,
                               MachineProfile& profile, std::vector<std::string>& left) {
  PairProfiler pairs(options, goal, profile, left);
  for (std::size_t a = 0; a < lanes.size(); ++a) {
    for (const MeasuredSlowdown& known : lanes[a].slowdowns) {
      profile.lanes[lanes[a].id].slowdowns[known.by] = known;
    }
    for (std::size_t b = a + 1; b < lanes.size(); ++b) {
      const bool computes = !lanes[a].announced && !lanes[b].announced;
      const bool known = !middle_variant(profile.lanes[lanes[a].id]).empty() &&
                         !middle_variant(profile.lanes[lanes[b].id]).empty();
      if (!computes || !known) {
        continue;
      }
      if (Result<void> measured = pairs.measure(lanes[a], lanes[b]); !measured) {
        return measured;
      }
    }
  }
  return {};
}

}  // namespace juggler
