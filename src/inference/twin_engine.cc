#include "inference/twin_engine.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/profile_point.h"
#include "core/rng.h"
#include "files/sha256.h"
#include "inference/image.h"
#include "inference/payload_check.h"

namespace juggler {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Sleeps on the monotonic clock, which steady_clock is on Linux. The kernel's default slack of
// 50 us would be a tenth of a fast network's time.
void sleep_precisely(SteadyTime until) {
  thread_local const bool kSlackSet = prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL) == 0;
  static_cast<void>(kSlackSet);
  const auto since = until.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
  timespec wake{};
  wake.tv_sec = whole.count();
  wake.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(since - whole).count();
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr) == EINTR) {
  }
}

// Less than this is slept in one piece: a look costs a few microseconds.
constexpr Micros kLastSleep{100};

Time time_of(SteadyTime time) {
  return {std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count()};
}

class TwinEngine final : public InferenceEngine {
 public:
  explicit TwinEngine(TwinEngineOptions options)
      : options_(std::move(options)), rng_(options_.seed) {
    if (!options_.sleep_until) {
      options_.sleep_until = sleep_precisely;
    }
    if (options_.memory == nullptr) {
      options_.memory = std::make_shared<TwinMemory>(Bytes{0});
    }
    for (const Profile& profile : options_.processor.profiles) {
      const std::vector<std::string>& loaded = options_.processor.loaded;
      if (std::find(loaded.begin(), loaded.end(), profile.variant) != loaded.end()) {
        static_cast<void>(take_memory(profile));
      }
    }
    unloaded_.clear();
  }

  Result<void> load(const std::string& variant) override;
  void unload(const std::string& variant) override {
    loaded_.erase(variant);
    const MutexLock lock(options_.memory->mutex);
    options_.memory->loaded.unload(options_.processor.id, variant);
  }
  std::vector<std::string> take_unloaded() override { return std::exchange(unloaded_, {}); }
  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override;

 private:
  bool take_memory(const Profile& profile);
  Micros take_time(SteadyTime start, const ProfilePoint& point, Micros alone);
  EngineOutput answer(const std::string& variant, const EngineInput& input) const;
  const std::vector<Label>* labels_of(const std::string& payload_sha256,
                                      const std::string& variant) const;

  TwinEngineOptions options_;
  Rng rng_;
  std::map<std::string, const Profile*> loaded_;
  std::vector<std::string> unloaded_;  // for want of memory, and not told yet
};

// Whether there is memory for a variant, once what its processor uses least has gone.
bool TwinEngine::take_memory(const Profile& profile) {
  std::vector<std::string> gone;
  {
    const MutexLock lock(options_.memory->mutex);
    if (!options_.memory->loaded.load(options_.processor.id, profile.variant, profile.memory,
                                      gone)) {
      return false;
    }
  }
  for (const std::string& variant : gone) {
    loaded_.erase(variant);
  }
  unloaded_.insert(unloaded_.end(), gone.begin(), gone.end());
  loaded_[profile.variant] = &profile;
  return true;
}

Result<void> TwinEngine::load(const std::string& variant) {
  if (loaded_.contains(variant)) {
    const MutexLock lock(options_.memory->mutex);
    options_.memory->loaded.used(options_.processor.id, variant);
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
  if (!take_memory(*at)) {
    return fail(ErrorCode::TooLarge, variant + " does not fit into the twin's memory: refused");
  }
  options_.sleep_until(start + std::chrono::microseconds(at->load.count));
  if (options_.board != nullptr) {
    const MutexLock lock(options_.board->mutex);
    options_.board->state.loaded(options_.position, time_of(std::chrono::steady_clock::now()));
  }
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
  // What a board would find out by decoding. A truncated picture is the common case and cheap to
  // see; decoding for the rest would cost a machine with many twins more than all else they do.
  if (input.payload.kind == PayloadKind::Jpeg || input.payload.kind == PayloadKind::Png) {
    if (Result<void> whole = check_end(*input.bytes, input.payload.kind); !whole) {
      return bad_payload(whole.error().message);
    }
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

// Returns when a batch that would take so long alone is done; with what it took on the board.
//
// Others of the board may begin and end meanwhile. It sleeps for what is left if they all ended
// now, and looks again, so that it is never late for one that does; the last bit in one piece.
Micros TwinEngine::take_time(SteadyTime start, const ProfilePoint& point, Micros alone) {
  if (options_.board == nullptr) {
    options_.sleep_until(start + std::chrono::microseconds(alone.count));
    return alone;
  }
  TwinBoard& board = *options_.board;
  const std::size_t own = options_.position;
  std::optional<Time> began;
  while (true) {
    Time look_again;
    {
      const MutexLock lock(board.mutex);
      const Time now = time_of(std::chrono::steady_clock::now());
      if (!began.has_value()) {
        began = now;
        board.runs.begin(own, now);
        alone = alone * board.state.begin(own, alone, power_above_idle(point), now) / 1000;
        alone = std::max(alone - (now - time_of(start)), Micros{1});
      }
      const Micros left = alone - board.runs.progress(own, now);
      const Time done = board.runs.done_at(own, alone, now);
      if (left <= Micros{0}) {
        const Micros over = board.runs.overdue(own, alone, now);
        board.runs.end(own, now);
        board.state.end(own, now);
        return now - over - time_of(start);
      }
      look_again = left < kLastSleep ? done : now + left;
    }
    options_.sleep_until(SteadyTime(std::chrono::microseconds(look_again.us)));
  }
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
    const Micros drawn = draw_latency(point, rng_);
    const auto spread = static_cast<double>((drawn - point.latency_mean).count);
    report.compute =
        std::max(point.latency_mean + Micros{std::llround(spread * options_.noise)}, Micros{1});
    report.energy = point.energy;
    report.compute = take_time(start, point, report.compute);
  }
  return report;
}

}  // namespace

std::shared_ptr<TwinBoard> twin_board(const std::vector<Processor>& processors,
                                      const BoardCurves& curves) {
  return SharedBoard(processors).shared() || !curves.flat()
             ? std::make_shared<TwinBoard>(processors, curves)
             : nullptr;
}

TwinWarmth warmth_of(TwinBoard& board) {
  const MutexLock lock(board.mutex);
  const Time now = time_of(std::chrono::steady_clock::now());
  return {board.state.millicelsius(now), board.state.throttled(now)};
}

std::unique_ptr<InferenceEngine> make_twin_engine(TwinEngineOptions options) {
  return std::make_unique<TwinEngine>(std::move(options));
}

}  // namespace juggler
