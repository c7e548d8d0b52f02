#include "inference/twin_engine.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/rng.h"
#include "inference/payload_check.h"
#include "inference/sha256.h"

namespace juggler {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// The 95th percentile of the normal distribution.
constexpr double kNormalP95 = 1.6448536269514722;
// A draw is at most this multiple of p95, so that one task cannot hang.
constexpr std::int64_t kDrawMaxOfP95 = 4;

// Sleeps on the monotonic clock, which steady_clock is on Linux. The kernel's default slack of
// 50 us would be a tenth of a fast network's time.
void sleep_precisely(SteadyTime until) {
  thread_local const bool slack_set = prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL) == 0;
  static_cast<void>(slack_set);
  const auto since = until.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
  timespec wake{};
  wake.tv_sec = whole.count();
  wake.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(since - whole).count();
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr) == EINTR) {
  }
}

double uniform(Rng& rng) { return (static_cast<double>(rng.next() >> 11U) + 0.5) * 0x1.0p-53; }

double normal(Rng& rng) {
  return std::sqrt(-2.0 * std::log(uniform(rng))) * std::cos(2.0 * std::numbers::pi * uniform(rng));
}

// The log-normal distribution with this mean and p95:
//   p95 / mean = exp(z s - s^2 / 2), so s = z - sqrt(z^2 - 2 ln(p95 / mean)).
// Above a ratio of 3.9 there is none; the widest one stands in.
Micros draw(const ProfilePoint& point, Rng& rng) {
  const auto mean = static_cast<double>(point.latency_mean.count);
  const double ratio = static_cast<double>(point.latency_p95.count) / mean;
  const double under_root = kNormalP95 * kNormalP95 - 2.0 * std::log(ratio);
  const double sigma = kNormalP95 - std::sqrt(std::max(0.0, under_root));
  const double value = mean * std::exp(sigma * normal(rng) - sigma * sigma / 2.0);
  const std::int64_t limit = point.latency_p95.count * kDrawMaxOfP95;
  return {std::clamp<std::int64_t>(std::llround(value), 1, limit)};
}

std::int64_t on_line(std::int64_t low, std::int64_t high, double share) {
  return low + std::llround(static_cast<double>(high - low) * share);
}

EnergyFigure energy_on_line(const EnergyFigure& low, const EnergyFigure& high, double share) {
  EnergyFigure energy = low;
  energy.value = {on_line(low.value.count, high.value.count, share)};
  energy.low = {on_line(low.low.count, high.low.count, share)};
  energy.high = {on_line(low.high.count, high.high.count, share)};
  energy.evidence = std::max(low.evidence, high.evidence);
  return energy;
}

class TwinEngine final : public InferenceEngine {
 public:
  explicit TwinEngine(TwinEngineOptions options)
      : options_(std::move(options)), rng_(options_.seed) {
    if (!options_.sleep_until) {
      options_.sleep_until = sleep_precisely;
    }
  }

  Result<void> load(const std::string& variant) override;
  void unload(const std::string& variant) override { loaded_.erase(variant); }
  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override;

 private:
  EngineOutput answer(const std::string& variant, const EngineInput& input) const;
  const std::vector<Label>* labels_of(const std::string& payload_sha256,
                                      const std::string& variant) const;

  TwinEngineOptions options_;
  Rng rng_;
  std::map<std::string, const Profile*> loaded_;
};

Result<void> TwinEngine::load(const std::string& variant) {
  if (loaded_.contains(variant)) {
    return {};
  }
  const SteadyTime start = std::chrono::steady_clock::now();
  const std::vector<Profile>& profiles = options_.processor.profiles;
  const auto at = std::find_if(profiles.begin(), profiles.end(),
                               [&](const Profile& p) { return p.variant == variant; });
  if (at == profiles.end()) {
    return fail(ErrorCode::NotFound, "twin's processor " + options_.processor.id +
                                         " has no profile of variant '" + variant + "'");
  }
  options_.sleep_until(start + std::chrono::microseconds(at->load.count));
  loaded_[variant] = &*at;
  return {};
}

// A half-precision variant without an entry of its own gives the labels of the fp32 network that it
// stands for (Catalogue::describe).
const std::vector<Label>* TwinEngine::labels_of(const std::string& payload_sha256,
                                                const std::string& variant) const {
  const TwinLabels::Entry* entry = options_.labels->find(payload_sha256, variant);
  constexpr std::string_view kHalf = "-fp16";
  if (entry == nullptr && variant.ends_with(kHalf)) {
    const std::string network = variant.substr(0, variant.size() - kHalf.size());
    entry = options_.labels->find(payload_sha256, network + "-fp32");
  }
  return entry != nullptr ? &entry->labels : nullptr;
}

EngineOutput TwinEngine::answer(const std::string& variant, const EngineInput& input) const {
  const CatalogueVariant* entry = options_.catalogue.find(variant);
  if (Result<void> ok = check_payload(input, entry != nullptr ? &entry->input : nullptr); !ok) {
    return bad_payload(ok.error().message);
  }
  EngineOutput output;
  output.status = AttemptStatus::Ok;
  const auto facts = std::find_if(options_.variants.begin(), options_.variants.end(),
                                  [&](const Variant& v) { return v.id == variant; });
  output.synthetic_labels =
      facts != options_.variants.end() && facts->weights == Weights::Synthetic;
  if (options_.labels != nullptr) {
    if (const std::vector<Label>* labels = labels_of(sha256_hex(*input.bytes), variant)) {
      const auto count =
          std::min(labels->size(), static_cast<std::size_t>(std::max(input.top_k, 1)));
      output.labels.assign(labels->begin(), labels->begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  return output;
}

BatchReport TwinEngine::run(const std::string& variant, std::span<const EngineInput> inputs) {
  const SteadyTime start = std::chrono::steady_clock::now();
  const auto at = loaded_.find(variant);
  JUGGLER_CHECK(at != loaded_.end(), "run of a variant that is not loaded");
  BatchReport report;
  int good = 0;
  for (const EngineInput& input : inputs) {
    report.outputs.push_back(answer(variant, input));
    good += report.outputs.back().status == AttemptStatus::Ok ? 1 : 0;
  }
  if (good > 0) {
    const ProfilePoint point = point_at(*at->second, good);
    report.compute = draw(point, rng_);
    report.energy = point.energy;
    options_.sleep_until(start + std::chrono::microseconds(report.compute.count));
  }
  return report;
}

}  // namespace

ProfilePoint point_at(const Profile& profile, int batch) {
  const std::vector<ProfilePoint>& points = profile.points;
  JUGGLER_CHECK(!points.empty() && batch >= 1, "profile without points");
  const auto above = std::lower_bound(points.begin(), points.end(), batch,
                                      [](const ProfilePoint& p, int b) { return p.batch < b; });
  if (above != points.end() && (above->batch == batch || above == points.begin())) {
    return *above;
  }
  // Between two points, or beyond the last: the line from nothing through it.
  const ProfilePoint& low = *std::prev(above);
  ProfilePoint high = low;
  if (above != points.end()) {
    high = *above;
  } else {
    const auto doubled = [](Micros t) { return t * 2; };
    high.batch = low.batch * 2;
    high.latency_mean = doubled(low.latency_mean);
    high.latency_p95 = doubled(low.latency_p95);
    if (high.energy.has_value()) {
      high.energy->value = high.energy->value * 2;
      high.energy->low = high.energy->low * 2;
      high.energy->high = high.energy->high * 2;
    }
  }
  const double share = static_cast<double>(batch - low.batch) / (high.batch - low.batch);
  ProfilePoint point;
  point.batch = batch;
  point.latency_mean = {on_line(low.latency_mean.count, high.latency_mean.count, share)};
  point.latency_p95 = {on_line(low.latency_p95.count, high.latency_p95.count, share)};
  if (low.energy.has_value() && high.energy.has_value()) {
    point.energy = energy_on_line(*low.energy, *high.energy, share);
  }
  return point;
}

std::unique_ptr<InferenceEngine> make_twin_engine(TwinEngineOptions options) {
  return std::make_unique<TwinEngine>(std::move(options));
}

}  // namespace juggler
