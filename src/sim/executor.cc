#include "sim/executor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/profile_point.h"

namespace juggler::sim {
namespace {

constexpr unsigned kLaneBits = 8;
// An engine that fails does so at once, not after a whole run.
constexpr Micros kFailureTakes = milliseconds(1);

}  // namespace

SimExecutor::SimExecutor(Agenda& agenda, const DeviceFacts& truth, double noise, std::uint64_t seed,
                         TransportOwner& owner, PowerTrack* power, BoardCurves curves)
    : agenda_(agenda),
      truth_(truth),
      noise_(noise),
      owner_(owner),
      power_(power),
      loaded_(truth.memory),
      lanes_(truth.processors.size()),
      board_(truth.processors),
      curved_(!curves.flat()),
      state_(std::move(curves), truth.processors),
      use_(truth.processors.size()) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    lanes_[l].rng = Rng(seed * kProcessorsMax + l);  // each its own: one never shifts another
  }
}

void SimExecutor::start(BatchJob job) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    if (truth_.processors[l].id == job.processor) {
      lanes_[l].jobs.push_back(std::move(job));
      if (lanes_[l].jobs.size() == 1) {
        begin(l);
      }
      return;
    }
  }
  JUGGLER_CHECK(false, "the consumer only starts batches on its own processors");
}

void SimExecutor::fail_all(BatchReport& report, const BatchJob& job, const char* reason) {
  report.outputs.resize(job.inputs.size());
  for (EngineOutput& output : report.outputs) {
    output.status = AttemptStatus::Error;
    output.reason = reason;
  }
}

// How long loading takes; nothing where the variant is there.
Result<Micros> SimExecutor::load(std::size_t index, const Profile& profile) {
  const std::string& processor = truth_.processors[index].id;
  if (loaded_.contains(processor, profile.variant)) {
    loaded_.used(processor, profile.variant);
    return Micros{0};
  }
  if (refuses_loads_) {
    return juggler::fail(ErrorCode::TooLarge, "out of memory while loading");
  }
  std::vector<std::string> unloaded;
  if (!loaded_.load(processor, profile.variant, profile.memory, unloaded)) {
    use_[index].memory_refused += 1;
    return juggler::fail(ErrorCode::TooLarge, "it does not fit into the memory: refused");
  }
  for (std::string& variant : unloaded) {
    unloaded_.push_back({processor, std::move(variant)});
  }
  if (curved_) {
    state_.loaded(index, agenda_.now());
  }
  return slowed(profile.load);
}

void SimExecutor::add_warmth(HostSample& sample) {
  if (curved_ && state_.millicelsius(agenda_.now()).has_value()) {
    sample.temperature_millicelsius = state_.millicelsius(agenda_.now());
    sample.throttled = state_.throttled(agenda_.now());
  }
}

void SimExecutor::set_power(Lane& lane, Milliwatts power) {
  if (power_ != nullptr && power != lane.power) {
    power_->change(agenda_.now(), power - lane.power);
  }
  lane.power = power;
}

// What the batch takes.
Micros SimExecutor::run(std::size_t index, const BatchJob& job) {
  Lane& lane = lanes_[index];
  lane.report = BatchReport{};
  const std::vector<Profile>& profiles = truth_.processors[index].profiles;
  const auto profile = std::find_if(profiles.begin(), profiles.end(),
                                    [&](const Profile& p) { return p.variant == job.variant; });
  JUGGLER_CHECK(profile != profiles.end(), "the consumer only runs what it serves");
  const Result<Micros> loaded = load(index, *profile);
  if (!loaded) {
    fail_all(lane.report, job, loaded.error().message.c_str());
    lane.report.failure = EngineFailure::OutOfMemory;
    return kFailureTakes;
  }
  const Micros takes = *loaded;
  if (failures_per_million_ > 0 &&
      lane.rng.below(1'000'000) < static_cast<std::uint64_t>(failures_per_million_)) {
    fail_all(lane.report, job, "the engine failed");
    return takes + kFailureTakes;
  }
  const int size = static_cast<int>(job.inputs.size());
  const ProfilePoint point = point_at(*profile, size);
  Micros compute = draw_latency(point, lane.rng);
  if (noise_ != 1.0) {
    const auto spread = static_cast<double>((compute - point.latency_mean).count);
    compute = point.latency_mean + Micros{std::llround(spread * noise_)};
  }
  if (curved_) {
    compute = compute * state_.begin(index, compute, power_above_idle(point), agenda_.now()) / 1000;
  }
  compute = std::max(slowed(compute), Micros{1});
  lane.report.compute = compute;
  lane.report.energy = point.energy;
  if (point.energy.has_value()) {
    const std::int64_t uj =
        point.energy->value.count * truth_.to_board_input.factor_permille / 1000;
    set_power(lane, Milliwatts{uj * 1000 / std::max<std::int64_t>(point.latency_mean.count, 1)});
  }
  const Variant* variant = truth_.find_variant(job.variant);
  for (std::size_t i = 0; i < job.inputs.size(); ++i) {
    EngineOutput output;
    output.status = AttemptStatus::Ok;
    output.synthetic_labels = variant != nullptr && variant->weights == Weights::Synthetic;
    lane.report.outputs.push_back(std::move(output));
  }
  return takes + compute;
}

void SimExecutor::begin(std::size_t index) {
  const Micros takes = run(index, lanes_[index].jobs.front());
  const BatchJob& job = lanes_[index].jobs.front();
  ProcessorUse& use = use_[index];
  use.batches += 1;
  use.tasks += job.inputs.size();
  use.busy += takes;
  if (job.inputs.size() >= use.batch_sizes.size()) {
    use.batch_sizes.resize(job.inputs.size() + 1);
  }
  use.batch_sizes[job.inputs.size()] += 1;
  if (lanes_[index].report.energy.has_value()) {
    use.energy += lanes_[index].report.energy->value * truth_.to_board_input.factor_permille / 1000;
  }
  Lane& lane = lanes_[index];
  lane.alone = takes;
  lane.began = agenda_.now();
  lane.ends = Time::never();
  board_.begin(index, agenda_.now());
  schedule();
}

// Sees to it that every batch ends when it is done, now that other processors work than before.
void SimExecutor::schedule() {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    Lane& lane = lanes_[l];
    if (!board_.works(l)) {
      continue;
    }
    const Time ends = board_.done_at(l, lane.alone, agenda_.now());
    if (ends != lane.ends) {
      lane.ends = ends;
      agenda_.at(ends, *this, life_ << kLaneBits | l);
    }
  }
}

// What the other processors have added to its time counts as computing.
void SimExecutor::end_run(std::size_t index) {
  Lane& lane = lanes_[index];
  const Micros added = agenda_.now() - lane.began - lane.alone;
  board_.end(index, agenda_.now());
  if (curved_) {
    state_.end(index, agenda_.now());
  }
  if (added > Micros{0}) {
    const std::int64_t ppm = added.count * 1'000'000 / std::max<std::int64_t>(lane.alone.count, 1);
    lane.report.compute += lane.report.compute * ppm / 1'000'000;
    use_[index].busy += added;
  }
}

void SimExecutor::wake(std::uint64_t what) {
  if (what >> kLaneBits != life_) {
    return;
  }
  const std::size_t index = what & ((1U << kLaneBits) - 1);
  Lane& lane = lanes_[index];
  if (lane.jobs.empty() || agenda_.now() < lane.ends) {
    return;  // it was to end now until other processors began to work
  }
  end_run(index);
  done_.push_back({lane.jobs.front().id, std::move(lane.report)});
  lane.jobs.pop_front();
  set_power(lane, Milliwatts{0});
  if (!lane.jobs.empty()) {
    begin(index);
  } else {
    schedule();
  }
  owner_.input();
}

void SimExecutor::collect(std::vector<BatchDone>& done) {
  done.insert(done.end(), std::make_move_iterator(done_.begin()),
              std::make_move_iterator(done_.end()));
  done_.clear();
}

void SimExecutor::collect_unloaded(std::vector<VariantUnloaded>& unloaded) {
  unloaded.insert(unloaded.end(), unloaded_.begin(), unloaded_.end());
  unloaded_.clear();
}

std::vector<std::string> SimExecutor::preload(std::size_t processor,
                                              std::vector<std::string> variants) {
  if (refuses_loads_) {
    variants.clear();
  }
  const Processor& truth = truth_.processors[processor];
  std::vector<std::string> pushed_out;
  std::erase_if(variants, [&](const std::string& variant) {
    const auto profile = std::find_if(truth.profiles.begin(), truth.profiles.end(),
                                      [&](const Profile& p) { return p.variant == variant; });
    return profile == truth.profiles.end() ||
           !loaded_.load(truth.id, variant, profile->memory, pushed_out);
  });
  std::erase_if(variants,
                [&](const std::string& variant) { return !loaded_.contains(truth.id, variant); });
  return variants;
}

void SimExecutor::forget() {
  life_ += 1;
  done_.clear();
  unloaded_.clear();
  loaded_.clear();
  board_ = SharedBoard(truth_.processors);
  for (std::size_t l = 0; curved_ && l < lanes_.size(); ++l) {
    state_.end(l, agenda_.now());
  }
  for (Lane& lane : lanes_) {
    lane.jobs.clear();
    set_power(lane, Milliwatts{0});
  }
}

}  // namespace juggler::sim
