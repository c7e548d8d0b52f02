#include "inference/machine_profiler.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "inference/synthetic_picture.h"

namespace juggler {
namespace {

using SteadyClock = std::chrono::steady_clock;

// More than any processor of these boards' class does: 128 multiply-accumulates of int8 in a cycle
// at 4 GHz are 512 a nanosecond and core. A time below that was not a run of the network.
constexpr double kMacsPerMicroMax = 512'000.0;
constexpr std::int64_t kFarOff = 3;          // times the published interval
constexpr Micros kRestBetween = seconds(3);  // points, where a meter is to know idle power

struct Point {
  int threads = 1;
  int batch = 1;
};

std::vector<Point> points_of(const LaneUnderTest& lane, const std::vector<int>& batches) {
  std::vector<Point> points;
  for (const int threads : lane.threads) {
    points.push_back({threads, 1});
    for (const int batch : batches) {
      if (batch > 1 && batch <= lane.batch_max) {
        points.push_back({threads, batch});
      }
    }
  }
  return points;
}

class LaneProfiler {
 public:
  LaneProfiler(const LaneUnderTest& lane, const Catalogue& catalogue,
               const ProfilingOptions& options, MachineProfile& profile,
               std::vector<std::string>& left)
      : lane_(lane),
        catalogue_(catalogue),
        options_(options),
        profile_(profile),
        left_(left),
        points_(points_of(lane, options.batches)),
        total_(points_.size() * lane.variants.size()) {
    input_.payload.kind = PayloadKind::Jpeg;
    input_.payload.width = kSyntheticWidth;
    input_.payload.height = kSyntheticHeight;
    input_.bytes = wire::make_body(synthetic_jpeg());
  }

  Result<void> run() {
    ProfiledLane& lane = profile_.lanes[lane_.id];
    if (lane.runtime != lane_.runtime) {
      lane = {};  // another engine than the earlier run's
      for (auto& [id, other] : profile_.lanes) {
        other.slowdowns.erase(lane_.id);
      }
    }
    lane.id = lane_.id;
    lane.kind = lane_.kind;
    lane.runtime = lane_.runtime;
    for (const std::string& id : lane_.variants) {
      if (Result<void> measured = measure_variant(lane, id); !measured) {
        return measured;
      }
    }
    return {};
  }

 private:
  bool stopped() const { return options_.stop && options_.stop(); }

  // errors  stopped, and what cannot be kept; a variant that fails is left
  Result<void> measure_variant(ProfiledLane& lane, const std::string& id) {
    const CatalogueVariant* entry = catalogue_.find(id);
    const std::string digest = entry != nullptr ? entry->variant.sha256 : "";
    ProfiledVariant measured;
    if (const auto known = lane.variants.find(id);
        known != lane.variants.end() && known->second.model_sha256 == digest) {
      measured = known->second;
    }
    measured.model_sha256 = digest;
    int threads = 0;  // of the engine that is there
    std::unique_ptr<InferenceEngine> engine;
    for (const Point& point : points_) {
      const std::size_t number = done_++;
      if (measured.find(point.threads, point.batch) != nullptr) {
        continue;
      }
      if (options_.progress) {
        options_.progress(number, total_,
                          fmt::format("{} {}, {} thread{}, batch {}", lane.id, id, point.threads,
                                      point.threads == 1 ? "" : "s", point.batch));
      }
      Result<MeasuredPoint> result = fail(ErrorCode::Internal, "");
      if (threads != point.threads) {
        engine.reset();
        Result<std::unique_ptr<InferenceEngine>> loaded = load(id, point.threads, measured);
        if (!loaded) {
          left_.push_back(fmt::format("{} {}: {}", lane.id, id, loaded.error().message));
          done_ += points_.size() - 1 - number % points_.size();
          return {};
        }
        engine = std::move(*loaded);
        threads = point.threads;
      }
      result = measure_metered(*engine, id, point.batch);
      if (!result && stopped()) {
        return result.error();
      }
      if (!result) {
        left_.push_back(
            fmt::format("{} {}, batch {}: {}", lane.id, id, point.batch, result.error().message));
        continue;
      }
      result->threads = point.threads;
      result->batch = point.batch;
      const auto at = std::lower_bound(measured.points.begin(), measured.points.end(), point,
                                       [](const MeasuredPoint& p, const Point& wanted) {
                                         return std::pair(p.threads, p.batch) <
                                                std::pair(wanted.threads, wanted.batch);
                                       });
      measured.points.insert(at, *result);
      lane.variants[id] = measured;
    }
    return options_.keep && !measured.points.empty() ? options_.keep(profile_) : Result<void>();
  }

  // An engine with this variant loaded; what that took and holds is noted.
  Result<std::unique_ptr<InferenceEngine>> load(const std::string& id, int threads,
                                                ProfiledVariant& measured) {
    malloc_trim(0);  // so that the next network's memory is not taken from what the last one freed
    Result<std::unique_ptr<InferenceEngine>> engine = lane_.make_engine(threads);
    if (!engine) {
      return engine;
    }
    if (lane_.builds_first) {
      if (Result<void> built = (*engine)->load(id); !built) {
        return built.error();
      }
      if (const Result<MeasuredPoint> ran = measure(**engine, id, 1); !ran) {
        return ran.error();
      }
      (*engine)->unload(id);
    }
    const Bytes before = lane_.memory();
    const SteadyClock::time_point start = SteadyClock::now();
    if (Result<void> loaded = (*engine)->load(id); !loaded) {
      return loaded.error();
    }
    const auto took = SteadyClock::now() - start;
    const std::vector<EngineInput> one{input_};
    static_cast<void>((*engine)->run(id, one));  // which takes the rest of its memory
    measured.load = {std::chrono::duration_cast<std::chrono::microseconds>(took).count()};
    const CatalogueVariant* entry = catalogue_.find(id);
    measured.memory = std::max(lane_.memory() - before, entry != nullptr ? entry->size : Bytes{0});
    if (const Profile* announced = lane_.announced ? lane_.announced(id) : nullptr) {
      measured.load = announced->load;
      measured.memory = announced->memory;
    }
    return engine;
  }

  // With its energy and how warm the machine has become.
  Result<MeasuredPoint> measure_metered(InferenceEngine& engine, const std::string& id,
                                        int batch) const {
    RunMeter* meter = options_.meter;
    if (meter != nullptr) {
      meter->rest(kRestBetween);
    }
    std::int64_t runs = 0;
    Result<MeasuredPoint> point = measure(engine, id, batch, &runs);
    if (point && meter != nullptr) {
      if (const std::optional<RunEnergy> found = meter->end(runs)) {
        point->energy = found->above_rest;
        point->power = found->power;
      }
    }
    if (point && options_.thermal) {
      const ThermalState now = options_.thermal();
      point->temperature = now.temperature;
      point->throttled = now.throttled;
    }
    return point;
  }

  // `runs`, if any: where a meter is to be told when the runs begin that count; so many they were.
  Result<MeasuredPoint> measure(InferenceEngine& engine, const std::string& id, int batch,
                                std::int64_t* runs = nullptr) const {
    const std::vector<EngineInput> inputs(static_cast<std::size_t>(batch), input_);
    const auto run = [&]() -> Result<Micros> {
      if (runs != nullptr) {
        *runs += 1;
      }
      const BatchReport report = engine.run(id, inputs);
      for (const EngineOutput& output : report.outputs) {
        if (output.status != AttemptStatus::Ok) {
          return fail(ErrorCode::Unavailable, output.reason);
        }
      }
      return report.compute;
    };
    MeasuringGoal goal = options_.goal;
    const bool metered = runs != nullptr && options_.meter != nullptr;
    if (metered) {
      goal.time_min = options_.meter->time_min();
    }
    return measure_point(run, goal, options_.stop, [&] {
      if (metered) {
        *runs = 0;
        options_.meter->begin();
      }
    });
  }

  const LaneUnderTest& lane_;
  const Catalogue& catalogue_;
  const ProfilingOptions& options_;
  MachineProfile& profile_;
  std::vector<std::string>& left_;
  const std::vector<Point> points_;
  const std::size_t total_;
  std::size_t done_ = 0;
  EngineInput input_;
};

const ProfilePoint* published(const std::vector<Processor>& known, ProcessorKind kind,
                              const std::string& variant, int batch) {
  for (const Processor& processor : known) {
    for (const Profile& profile : processor.profiles) {
      if (processor.kind != kind || profile.variant != variant) {
        continue;
      }
      for (const ProfilePoint& point : profile.points) {
        if (point.batch == batch) {
          return &point;
        }
      }
    }
  }
  return nullptr;
}

// What looks wrong with one point.
std::string doubt(const ProfiledVariant& measured, const MeasuredPoint& point,
                  const CatalogueVariant* entry) {
  if (point.p95.count > 2 * point.p50.count) {
    return fmt::format("its p95 is {:.1f} times its median: something else computed meanwhile",
                       static_cast<double>(point.p95.count) / static_cast<double>(point.p50.count));
  }
  const MeasuredPoint* one = measured.find(point.threads, 1);
  if (one != nullptr && point.batch > 1 && point.p50.count < one->p50.count) {
    return fmt::format("a batch of {} takes less than one picture", point.batch);
  }
  if (one != nullptr && point.p50.count * 2 > one->p50.count * point.batch * 3) {
    return fmt::format(
        "a picture in a batch of {} takes half as long again as alone: the batch "
        "does not fit a cache, or it was disturbed",
        point.batch);
  }
  if (point.throttled) {
    return "heat or current held the clocks down when it ended";
  }
  if (point.energy.has_value() && point.energy->high.count > 2 * point.energy->value.count) {
    return "its energy is within the meter's noise";
  }
  const double macs = entry != nullptr ? entry->macs_m * 1e6 * point.batch : 0.0;
  if (macs / static_cast<double>(point.min.count) > kMacsPerMicroMax * point.threads) {
    return "it is faster than its processor can multiply: it did not run the network";
  }
  return {};
}

// Whether an energy is far outside of what is published. Joules of other meters are not compared.
bool far_off(const std::optional<EnergyFigure>& measured,
             const std::optional<EnergyFigure>& known) {
  return measured.has_value() && known.has_value() && measured->scope == known->scope &&
         (measured->low.count > known->high.count * kFarOff ||
          measured->high.count * kFarOff < known->low.count);
}

}  // namespace

Result<void> profile_lane(const LaneUnderTest& lane, const Catalogue& catalogue,
                          const ProfilingOptions& options, MachineProfile& profile,
                          std::vector<std::string>& left) {
  return LaneProfiler(lane, catalogue, options, profile, left).run();
}

std::vector<std::string> doubts(const MachineProfile& profile, const Catalogue& catalogue,
                                const std::vector<Processor>& known) {
  std::vector<std::string> found;
  for (const auto& [lane_id, lane] : profile.lanes) {
    for (const auto& [id, measured] : lane.variants) {
      for (const MeasuredPoint& point : measured.points) {
        const bool on_cpu = lane.kind == ProcessorKind::Cpu;
        const std::string name =
            fmt::format("{} {}, {} thread{}, batch {}", lane_id, id, point.threads,
                        point.threads == 1 ? "" : "s", point.batch);
        const std::string why = doubt(measured, point, on_cpu ? catalogue.find(id) : nullptr);
        if (!why.empty()) {
          found.push_back(name + ": " + why);
        }
        const ProfilePoint* known_point = published(known, lane.kind, id, point.batch);
        if (known_point != nullptr && point.threads == lane.best_threads() &&
            (point.mean.count > known_point->latency_mean.count * kFarOff ||
             point.mean.count * kFarOff < known_point->latency_mean.count)) {
          found.push_back(fmt::format(
              "{}: {:.2f} ms, where the board's profile has {:.2f} ms: another power mode or "
              "engine, or a wrong figure",
              name, static_cast<double>(point.mean.count) / 1000,
              static_cast<double>(known_point->latency_mean.count) / 1000));
        }
        if (known_point != nullptr && point.threads == lane.best_threads() &&
            far_off(point.energy, known_point->energy)) {
          found.push_back(
              fmt::format("{}: {:.0f} mJ above idle, where the board's profile has {:.0f} to "
                          "{:.0f} mJ: another "
                          "power mode, or the meter misses a rail",
                          name, static_cast<double>(point.energy->value.count) / 1000,
                          static_cast<double>(known_point->energy->low.count) / 1000,
                          static_cast<double>(known_point->energy->high.count) / 1000));
        }
      }
    }
  }
  return found;
}

}  // namespace juggler
