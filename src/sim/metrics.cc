#include "sim/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/check.h"

namespace juggler::sim {
namespace {

constexpr std::size_t kReasonsMax = 64;
constexpr std::size_t kSecondsMax = 1'000'000;

// A reason without the figures and names that differ from task to task.
std::string kind_of(const std::string& reason) { return reason.substr(0, reason.find(':')); }

double seconds_of(Micros time) { return static_cast<double>(time.count) / 1e6; }

double mean_percent(std::int64_t millipercent_sum, std::uint64_t count) {
  return count == 0 ? 0.0
                    : static_cast<double>(millipercent_sum) / 1000.0 / static_cast<double>(count);
}

}  // namespace

void TimeHistogram::add(std::int64_t value) {
  const auto number = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1));
  const auto power = static_cast<unsigned>(std::bit_width(number)) - 1;
  const std::uint64_t part = power >= 4 ? (number >> (power - 4U)) & (kParts - 1)
                                        : (number << (4U - power)) & (kParts - 1);
  buckets_[std::size_t{power} * kParts + part] += 1;
  count_ += 1;
}

std::int64_t TimeHistogram::percentile(double share) const {
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank && seen > 0) {
      const double low =
          std::ldexp(1.0 + static_cast<double>(i % kParts) / kParts, static_cast<int>(i / kParts));
      return std::llround(low * (1.0 + 0.5 / kParts));
    }
  }
  return 0;
}

Metrics::Metrics(std::vector<MetricsClass> classes, const std::vector<const DeviceFacts*>& truth,
                 Time origin, Micros warm_up)
    : origin_(origin),
      warm_up_(origin + warm_up),
      classes_(std::move(classes)),
      books_(classes_.size()) {
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    books_[c].result.name = classes_[c].name;
  }
  for (const DeviceFacts* facts : truth) {
    device_index_.emplace(facts->id, static_cast<std::uint16_t>(device_ids_.size()));
    device_ids_.push_back(facts->id);
    boards_.push_back({facts->to_board_input.factor_permille});
    for (const Variant& variant : facts->variants) {
      const auto [at, added] =
          variant_index_.emplace(variant.id, static_cast<std::uint16_t>(variants_.size()));
      if (added) {
        variants_.push_back({variant.id, 0, {}});
        accuracies_.push_back(variant.accuracy);
      }
    }
  }
}

SecondResult& Metrics::second(Time when) {
  const auto index =
      static_cast<std::size_t>(std::max<std::int64_t>((when - origin_).count, 0) / 1'000'000);
  const std::size_t bounded = std::min(index, kSecondsMax);
  if (bounded >= seconds_.size()) {
    seconds_.resize(bounded + 1);
  }
  return seconds_[bounded];
}

void Metrics::offered(std::uint64_t task, std::size_t demand, Time scheduled) {
  JUGGLER_CHECK(task == tasks_.size(), "tasks are offered in the order of their numbers");
  tasks_.push_back({.scheduled = scheduled, .demand = static_cast<std::uint16_t>(demand)});
  second(scheduled).offered += 1;
  if (scheduled >= warm_up_) {
    totals_.offered += 1;
    books_[demand].result.offered += 1;
  }
}

void Metrics::accepted(std::uint64_t task) {
  if (tasks_[task].state == State::Offered) {
    tasks_[task].state = State::Accepted;
    open_ += 1;
  }
}

void Metrics::turned_away(std::uint64_t task) {
  TaskLine& line = tasks_[task];
  if (line.state == State::Offered) {
    line.state = State::TurnedAway;
    second(line.scheduled).missed += 1;
    totals_.turned_away += line.scheduled >= warm_up_ ? 1U : 0U;
  }
}

void Metrics::answered(std::uint64_t task, const Outcome& outcome, Time now) {
  TaskLine& line = tasks_[task];
  const State state = outcome.kind == OutcomeKind::Completed  ? State::Completed
                      : outcome.kind == OutcomeKind::Rejected ? State::Rejected
                      : outcome.kind == OutcomeKind::Expired  ? State::Expired
                                                              : State::Failed;
  if (line.state >= State::Completed) {
    const auto device = device_index_.find(outcome.device);
    const bool same =
        line.state == state && (state != State::Completed ||
                                (device != device_index_.end() && device->second == line.device));
    (same || line.may_differ ? totals_.duplicated : totals_.contradicted) += 1;
    return;
  }
  if (line.state == State::Accepted) {
    open_ -= 1;
  }
  line.state = state;
  const Micros latency = now - line.scheduled;
  line.latency_us =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(latency.count, 0, UINT32_MAX));
  line.on_time = state == State::Completed && latency <= classes_[line.demand].deadline;
  SecondResult& then = second(line.scheduled);
  (line.on_time ? then.on_time : then.missed) += 1;
  const bool counts = line.scheduled >= warm_up_;
  ClassResult& book = books_[line.demand].result;
  if (state == State::Completed) {
    completed(line, outcome, now, counts);
  }
  if (!counts) {
    return;
  }
  switch (state) {
    case State::Completed:
      totals_.completed += 1;
      book.completed += 1;
      totals_.on_time += line.on_time ? 1U : 0U;
      book.on_time += line.on_time ? 1U : 0U;
      return;
    case State::Rejected: {
      totals_.rejected += 1;
      book.rejected += 1;
      std::string reason = kind_of(outcome.reason);
      if (totals_.rejected_by_reason.size() >= kReasonsMax) {
        reason = "others";
      }
      totals_.rejected_by_reason[reason] += 1;
      return;
    }
    case State::Expired:
      totals_.expired += 1;
      book.expired += 1;
      return;
    default:
      totals_.failed += 1;
      book.failed += 1;
  }
}

void Metrics::completed(TaskLine& line, const Outcome& outcome, Time now, bool counts) {
  const auto device = device_index_.find(outcome.device);
  const auto variant = variant_index_.find(outcome.variant);
  JUGGLER_CHECK(device != device_index_.end() && variant != variant_index_.end(),
                "the fleet is known");
  line.device = device->second;
  line.variant = variant->second;
  Board& board = boards_[device->second];
  board.completed += 1;
  for (const AttemptRecord& attempt : outcome.attempts) {
    const auto at = device_index_.find(attempt.device);
    if (at != device_index_.end() && !attempt.end.starts_with("ok")) {
      boards_[at->second].dropped += 1;
    }
  }
  const MilliPercent accuracy = accuracies_[variant->second];
  Microjoules energy;
  if (outcome.energy.has_value()) {
    energy = outcome.energy->value * board.factor_permille / 1000;
  }
  SecondResult& moment = second(now);
  moment.completed += 1;
  moment.energy_uj += energy.count;
  moment.accuracy_millipercent_sum += accuracy.count;
  if (!counts) {
    return;
  }
  add_parts(now - line.scheduled, outcome);
  VariantResult& used = variants_[variant->second];
  used.completed += 1;
  used.energy += energy;
  ClassBook& book = books_[line.demand];
  book.result.energy += energy;
  book.accuracy_sum += accuracy.count;
  totals_.energy_completed += energy;
  totals_.energy_unknown += outcome.energy.has_value() ? 0U : 1U;
  accuracy_sum_ += accuracy.count;
  const std::optional<MilliPercent> floor = classes_[line.demand].min_accuracy;
  totals_.below_accuracy_floor += floor.has_value() && accuracy < *floor ? 1U : 0U;
}

void Metrics::add_parts(Micros latency, const Outcome& outcome) {
  parts_sum_.outside += latency - outcome.total;
  parts_sum_.waiting += outcome.waiting;
  parts_sum_.network += outcome.network;
  parts_sum_.queued += outcome.queued;
  parts_sum_.compute += outcome.compute;
}

void Metrics::controller_holds(Time now, std::size_t tasks) {
  second(now).tasks_in_controller = static_cast<std::uint32_t>(tasks);
}

std::vector<std::uint64_t> Metrics::unanswered(std::size_t max) const {
  std::vector<std::uint64_t> found;
  for (std::size_t i = 0; i < tasks_.size() && found.size() < max; ++i) {
    if (tasks_[i].state == State::Accepted) {
      found.push_back(i);
    }
  }
  return found;
}

LatencySummary Metrics::summary(std::vector<std::uint32_t>& latencies) const {
  LatencySummary summary;
  summary.count = latencies.size();
  if (latencies.empty()) {
    return summary;
  }
  std::sort(latencies.begin(), latencies.end());
  std::int64_t sum = 0;
  for (const std::uint32_t latency : latencies) {
    sum += latency;
  }
  // The nearest rank.
  const auto at = [&](std::size_t percent) {
    const std::size_t rank = (latencies.size() * percent + 99) / 100;
    return Micros{latencies[std::max<std::size_t>(rank, 1) - 1]};
  };
  summary.mean = {sum / static_cast<std::int64_t>(latencies.size())};
  summary.p50 = at(50);
  summary.p90 = at(90);
  summary.p95 = at(95);
  summary.p99 = at(99);
  summary.max = {latencies.back()};
  return summary;
}

void Metrics::write(RunResult& result, Time until) const {
  result.offered = totals_.offered;
  result.completed = totals_.completed;
  result.on_time = totals_.on_time;
  result.rejected = totals_.rejected;
  result.expired = totals_.expired;
  result.failed = totals_.failed;
  result.turned_away = totals_.turned_away;
  result.duplicated = totals_.duplicated;
  result.contradicted = totals_.contradicted;
  result.rejected_by_reason = totals_.rejected_by_reason;
  result.energy_completed = totals_.energy_completed;
  result.energy_unknown = totals_.energy_unknown;
  result.below_accuracy_floor = totals_.below_accuracy_floor;
  result.accuracy_percent_mean = mean_percent(accuracy_sum_, totals_.completed);
  result.duration = until - warm_up_;
  const double seconds = std::max(seconds_of(result.duration), 1e-6);
  result.throughput_hz = static_cast<double>(totals_.completed) / seconds;
  result.on_time_hz = static_cast<double>(totals_.on_time) / seconds;
  result.seconds = seconds_;
  result.variants = variants_;
  result.lost = 0;

  std::vector<std::uint32_t> all;
  std::vector<std::vector<std::uint32_t>> by_class(classes_.size());
  for (const TaskLine& line : tasks_) {
    result.lost += line.state == State::Accepted ? 1U : 0U;
    if (line.state == State::Completed && line.scheduled >= warm_up_) {
      all.push_back(line.latency_us);
      by_class[line.demand].push_back(line.latency_us);
    }
  }
  result.latency = summary(all);
  const auto mean = [&](Micros sum) {
    return Micros{sum.count / static_cast<std::int64_t>(std::max<std::size_t>(all.size(), 1))};
  };
  result.latency_parts = {mean(parts_sum_.outside), mean(parts_sum_.waiting),
                          mean(parts_sum_.network), mean(parts_sum_.queued),
                          mean(parts_sum_.compute)};
  result.classes.clear();
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    ClassResult figures = books_[c].result;
    figures.latency = summary(by_class[c]);
    figures.accuracy_percent_mean = mean_percent(books_[c].accuracy_sum, figures.completed);
    result.classes.push_back(std::move(figures));
  }
  for (std::size_t d = 0; d < result.devices.size() && d < boards_.size(); ++d) {
    result.devices[d].completed = boards_[d].completed;
    result.devices[d].dropped = boards_[d].dropped;
  }
}

}  // namespace juggler::sim
