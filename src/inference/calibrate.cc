#include "inference/calibrate.h"

#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "inference/synthetic_picture.h"

namespace juggler {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kWarmUps = 2;
constexpr std::size_t kRunsWanted = 10;
constexpr std::size_t kRunsMin = 3;
constexpr Micros kRunsTimeMax = milliseconds(500);
constexpr std::array<int, 3> kLargerBatches{2, 4, 8};
// A further thread must pay at least this, in percent, since it takes a core from something else.
constexpr std::int64_t kThreadGainMin = 10;

Micros since(SteadyClock::time_point start) {
  return {
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count()};
}

std::string today() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

struct Latency {
  Micros mean;
  Micros p95;
  int runs = 0;
};

Latency summarise(std::vector<std::int64_t> times) {
  std::sort(times.begin(), times.end());
  const auto count = static_cast<std::int64_t>(times.size());
  const std::int64_t total = std::accumulate(times.begin(), times.end(), std::int64_t{0});
  const std::int64_t rank = (count * 95 + 99) / 100;  // the nearest rank, from 1
  const std::int64_t mean = std::max<std::int64_t>(total / count, 1);
  return {
      {mean}, {std::max(times[static_cast<std::size_t>(rank - 1)], mean)}, static_cast<int>(count)};
}

// The variants of one calibration, by an engine that it may replace with one of other threads.
class Bench {
 public:
  explicit Bench(const CalibrationOptions& options)
      : options_(options), start_(SteadyClock::now()) {
    input_.payload.kind = PayloadKind::Jpeg;
    input_.payload.width = kSyntheticWidth;
    input_.payload.height = kSyntheticHeight;
    input_.bytes = wire::make_body(synthetic_jpeg());
  }

  bool stopped() const { return options_.stop && options_.stop(); }
  bool time_is_up() const { return stopped() || since(start_) >= options_.budget; }

  Result<void> use_threads(int threads) {
    Result<std::unique_ptr<InferenceEngine>> engine = options_.lane.make_engine(threads);
    if (!engine) {
      return engine.error();
    }
    engine_ = std::move(*engine);
    return {};
  }

  InferenceEngine& engine() { return *engine_; }
  Bytes memory() const { return options_.lane.memory(); }
  bool builds_first() const { return options_.lane.builds_first; }

  // Warm-up, then runs until there are enough or half a second has passed.
  //
  // errors  the engine's; stopped
  Result<Latency> measure(const std::string& variant, int batch) {
    const std::vector<EngineInput> inputs(static_cast<std::size_t>(batch), input_);
    std::vector<std::int64_t> times;
    SteadyClock::time_point start;
    for (int run = 0; run < kWarmUps + static_cast<int>(kRunsWanted); ++run) {
      if (stopped()) {
        return fail(ErrorCode::Unavailable, "stopped");
      }
      if (run == kWarmUps) {
        start = SteadyClock::now();
      }
      const BatchReport report = engine_->run(variant, inputs);
      if (report.outputs.front().status != AttemptStatus::Ok) {
        return fail(ErrorCode::Unavailable, report.outputs.front().reason);
      }
      if (run >= kWarmUps) {
        times.push_back(report.compute.count);
        if (times.size() >= kRunsMin && since(start) >= kRunsTimeMax) {
          break;
        }
      }
    }
    return summarise(std::move(times));
  }

 private:
  const CalibrationOptions& options_;
  SteadyClock::time_point start_;
  EngineInput input_;
  std::unique_ptr<InferenceEngine> engine_;
};

// Pretrained first, then cheap ones.
std::vector<const CatalogueVariant*> in_order(const Catalogue& catalogue,
                                              const std::vector<std::string>& ids) {
  std::vector<const CatalogueVariant*> entries;
  for (const std::string& id : ids) {
    if (const CatalogueVariant* entry = catalogue.find(id)) {
      entries.push_back(entry);
    }
  }
  const auto key = [](const CatalogueVariant* v) {
    return std::tuple(v->variant.weights == Weights::Synthetic, v->macs_m, v->variant.id);
  };
  std::sort(entries.begin(), entries.end(),
            [&](const auto* a, const auto* b) { return key(a) < key(b); });
  return entries;
}

// The time of one picture with this many threads.
Result<Micros> time_with(Bench& bench, const std::string& variant, int threads) {
  if (Result<void> ok = bench.use_threads(threads); !ok) {
    return ok.error();
  }
  if (Result<void> ok = bench.engine().load(variant); !ok) {
    return ok.error();
  }
  const Result<Latency> latency = bench.measure(variant, 1);
  if (!latency) {
    return latency.error();
  }
  spdlog::debug("calibration: {} with {} threads: {} us", variant, threads, latency->mean.count);
  return latency->mean;
}

// 1, 2, 4, … and all cores on one network.
Result<int> choose_threads(Bench& bench, const std::string& variant, int cores) {
  Result<Micros> best = time_with(bench, variant, 1);
  if (!best) {
    return best.error();
  }
  int chosen = 1;
  for (int tried = 1; tried < cores && !bench.time_is_up();) {
    tried = std::min(tried * 2, cores);
    const Result<Micros> time = time_with(bench, variant, tried);
    if (!time) {
      return time.error();
    }
    if (time->count * 100 <= best->count * (100 - kThreadGainMin)) {
      best = *time;
      chosen = tried;
    }
  }
  return chosen;
}

// What an earlier start measured, as far as it still holds.
std::optional<Calibration> earlier(const Catalogue& catalogue, const Machine& machine,
                                   const CalibrationOptions& options) {
  const CalibrationLane& lane = options.lane;
  const std::filesystem::path file = calibration_file(options.home, options.device, lane.processor);
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) {
    return std::nullopt;
  }
  Result<Calibration> known = load_calibration(file);
  if (!known) {
    spdlog::warn("{}; measuring again", known.error().message);
    return std::nullopt;
  }
  const MeasuredOn& on = known->on;
  if (on.machine != machine.processor || on.runtime_version != lane.runtime ||
      (lane.threads > 0 && on.threads != lane.threads) || on.threads > machine.cores) {
    spdlog::info(
        "{}: measured on {} with {} and {} threads, not what is here; "
        "measuring again",
        file.string(), on.machine, on.runtime_version, on.threads);
    return std::nullopt;
  }
  if (other_power_mode(on.mode, options.mode)) {
    spdlog::info("{}: measured in power mode {}, and {} is set now; measuring again", file.string(),
                 power_mode_name(on.mode), power_mode_name(options.mode));
    return std::nullopt;
  }
  Calibration valid = *known;
  valid.profiles.clear();
  valid.on.variants.clear();
  for (const Profile& profile : known->profiles) {
    const CatalogueVariant* entry = catalogue.find(profile.variant);
    const auto measured = on.variants.find(profile.variant);
    if (entry != nullptr && measured != on.variants.end() &&
        measured->second.model_sha256 == entry->variant.sha256) {
      valid.set(profile, measured->second);
    } else {
      spdlog::info("{}: {} has another model file now; measuring again", file.string(),
                   profile.variant);
    }
  }
  return valid;
}

// Load time, memory and batch 1 of a variant that is not loaded; it stays loaded.
Result<Profile> first_profile(Bench& bench, const CatalogueVariant& entry,
                              const std::string& source, int& runs) {
  if (bench.builds_first()) {
    if (Result<void> ok = bench.engine().load(entry.variant.id); !ok) {
      return ok.error();
    }
    if (const Result<Latency> built = bench.measure(entry.variant.id, 1); !built) {
      return built.error();
    }
    bench.engine().unload(entry.variant.id);
  }
  malloc_trim(0);  // so that the next network's memory is not taken from what the last one freed
  const Bytes before = bench.memory();
  const SteadyClock::time_point start = SteadyClock::now();
  if (Result<void> ok = bench.engine().load(entry.variant.id); !ok) {
    return ok.error();
  }
  Profile profile;
  profile.variant = entry.variant.id;
  profile.load = since(start);
  profile.evidence = Evidence::Measured;
  profile.source = source;
  const Result<Latency> latency = bench.measure(entry.variant.id, 1);
  if (!latency) {
    return latency.error();
  }
  runs = latency->runs;
  profile.points.push_back({1, latency->mean, latency->p95, std::nullopt});
  profile.memory = std::max(bench.memory() - before, entry.size);
  return profile;
}

class Calibrator {
 public:
  Calibrator(const Machine& machine, const CalibrationOptions& options)
      : machine_(machine), options_(options), bench_(options) {}

  Result<void> prepare(Calibration known, const std::vector<const CatalogueVariant*>& entries) {
    summary_.calibration = std::move(known);
    Calibration& result = summary_.calibration;
    if (result.on.date.empty()) {
      const CalibrationLane& lane = options_.lane;
      result.on = {today(), machine_.processor, lane.runtime, lane.threads, {}, options_.mode};
      result.board = machine_.board;
      result.title = machine_.title;
      result.processor = lane.processor;
      result.kind = lane.kind;
    }
    if (result.on.threads < 1) {
      report("threads", 0, 1);
      const Result<int> threads = choose_threads_on_any(entries);
      if (!threads) {
        return threads.error();
      }
      result.on.threads = *threads;
    }
    return bench_.use_threads(result.on.threads);
  }

  void measure_all(const std::vector<const CatalogueVariant*>& entries) {
    std::size_t done = 0;
    for (const CatalogueVariant* entry : entries) {
      const std::string& id = entry->variant.id;
      report(id, done++, entries.size());
      if (bench_.time_is_up()) {
        summary_.left.push_back(id + ": no time left; the next start measures it");
        continue;
      }
      int runs = 0;
      Result<Profile> profile = first_profile(bench_, *entry, source(), runs);
      if (profile) {
        summary_.calibration.set(std::move(*profile), {entry->variant.sha256, runs});
      } else {
        summary_.left.push_back(id + ": " + profile.error().message);
      }
      bench_.engine().unload(id);
    }
  }

  void measure_batches(const std::vector<const CatalogueVariant*>& entries) {
    for (const CatalogueVariant* entry : entries) {
      const std::string& id = entry->variant.id;
      const Profile* known = summary_.calibration.find(id);
      if (known == nullptr || known->points.size() > 1 || bench_.time_is_up() ||
          !bench_.engine().load(id)) {
        continue;
      }
      Profile profile = *known;
      for (const int batch : kLargerBatches) {
        if (batch > options_.lane.batch_max) {
          break;
        }
        const Result<Latency> latency =
            bench_.time_is_up() ? Result<Latency>(fail(ErrorCode::Unavailable, "no time"))
                                : bench_.measure(id, batch);
        if (latency) {
          profile.points.push_back({batch, latency->mean, latency->p95, std::nullopt});
        }
      }
      bench_.engine().unload(id);
      const MeasuredVariant variant = summary_.calibration.on.variants[id];
      summary_.calibration.set(std::move(profile), variant);
    }
  }

  CalibrationSummary take() { return std::move(summary_); }

 private:
  // On a network of middle size; where its file is damaged, on another.
  Result<int> choose_threads_on_any(const std::vector<const CatalogueVariant*>& entries) {
    Result<int> threads = fail(ErrorCode::NotFound, "no variant");
    for (std::size_t i = 0; i < entries.size() && !threads && !bench_.stopped(); ++i) {
      const std::size_t at = (entries.size() / 2 + i) % entries.size();
      threads = choose_threads(bench_, entries[at]->variant.id, machine_.cores);
    }
    return threads;
  }

  void report(const std::string& doing, std::size_t done, std::size_t total) {
    if (options_.progress) {
      options_.progress({done, total, doing});
    }
  }

  std::string source() const {
    return fmt::format("measured on this machine ({}), {}", machine_.processor, today());
  }

  const Machine& machine_;
  const CalibrationOptions& options_;
  Bench bench_;
  CalibrationSummary summary_;
};

}  // namespace

Result<CalibrationSummary> calibrate(const Catalogue& catalogue, const Machine& machine,
                                     const CalibrationOptions& options) {
  Calibration known = earlier(catalogue, machine, options).value_or(Calibration{});
  const std::vector<const CatalogueVariant*> wanted = in_order(catalogue, options.variants);
  std::vector<const CatalogueVariant*> missing;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(missing),
               [&](const CatalogueVariant* v) { return known.find(v->variant.id) == nullptr; });
  if (missing.empty() && !wanted.empty()) {
    return CalibrationSummary{std::move(known), {}};
  }
  if (wanted.empty()) {
    return fail(ErrorCode::NotFound, "no variant of the model catalogue to calibrate");
  }
  Calibrator calibrator(machine, options);
  if (Result<void> ok = calibrator.prepare(std::move(known), missing); !ok) {
    return ok.error();
  }
  calibrator.measure_all(missing);
  calibrator.measure_batches(missing);
  if (options.stop && options.stop()) {
    // Not even what is whole: a variant that is known is never measured with larger batches again.
    return fail(ErrorCode::Unavailable, "stopped while measuring");
  }
  CalibrationSummary summary = calibrator.take();
  for (const std::string& variant : summary.left) {
    spdlog::info("calibration: {}", variant);
  }
  if (summary.calibration.profiles.empty()) {
    return fail(ErrorCode::Unavailable, "no variant could be measured: " + summary.left.front());
  }
  const std::filesystem::path file =
      calibration_file(options.home, options.device, options.lane.processor);
  if (Result<void> ok = save_calibration(summary.calibration, file); !ok) {
    spdlog::warn("{}: the measurements are used, but not kept", ok.error().message);
  }
  return summary;
}

}  // namespace juggler
