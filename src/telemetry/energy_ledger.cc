#include "telemetry/energy_ledger.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace juggler {
namespace {

constexpr Micros kWindow = seconds(1);
constexpr Micros kSettle = milliseconds(200);  // clocks and fans calm down after a batch

double micros(Micros time) { return static_cast<double>(time.count); }

}  // namespace

EnergyLedger::EnergyLedger(MeterFacts facts) : facts_(std::move(facts)) {}

EnergyLedger::Ticket EnergyLedger::begin(BatchClass batch, Time now) {
  jobs_.push_back({.ticket = ++last_ticket_, .batch = std::move(batch), .begin = now});
  if (jobs_.size() > kJobsMax) {
    jobs_.pop_front();
  }
  return last_ticket_;
}

const EnergyLedger::Job* EnergyLedger::find(Ticket ticket) const {
  const auto at =
      std::lower_bound(jobs_.begin(), jobs_.end(), ticket,
                       [](const Job& job, Ticket wanted) { return job.ticket < wanted; });
  return at != jobs_.end() && at->ticket == ticket ? &*at : nullptr;
}

void EnergyLedger::end(Ticket ticket, Time now) {
  const auto at =
      std::lower_bound(jobs_.begin(), jobs_.end(), ticket,
                       [](const Job& job, Ticket wanted) { return job.ticket < wanted; });
  if (at != jobs_.end() && at->ticket == ticket) {
    at->end = now;
  }
}

void EnergyLedger::add(const EnergySlot& slot) {
  const Time calm = slot.from - facts_.window - kSettle;
  const bool idle = std::none_of(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return job.begin < slot.to && job.end > calm;
  });
  if (idle) {
    add_idle(slot);
  } else if (idle_.count() >= kBlocksMin) {
    divide(slot,
           static_cast<double>(slot.energy.count) - idle_.mean() * micros(slot.to - slot.from));
  }
  while (!jobs_.empty() && jobs_.front().end < calm) {
    jobs_.pop_front();
  }
}

void EnergyLedger::add_idle(const EnergySlot& slot) {
  idle_uj_ += static_cast<double>(slot.energy.count);
  idle_time_ += slot.to - slot.from;
  if (idle_time_ >= kWindow) {
    idle_.add(std::exchange(idle_uj_, 0.0) / micros(std::exchange(idle_time_, {})));
  }
}

double EnergyLedger::weight_of(const BatchClass& batch, bool all_known) const {
  if (!all_known) {
    return 1.0;
  }
  const Class& mine = classes_.at(batch);
  return std::max(mine.alone_uj / micros(mine.alone_time), 1e-3);
}

// May give a negative share: noise around idle is not cut off, or it would add up.
void EnergyLedger::divide(const EnergySlot& slot, double above_idle_uj) {
  std::vector<std::pair<Job*, Micros>> parts;
  bool all_known = true;
  for (Job& job : jobs_) {
    const Micros inside = std::min(job.end, slot.to) - std::max(job.begin, slot.from);
    if (inside <= Micros{0} || (classes_.size() >= kClassesMax && !classes_.contains(job.batch))) {
      continue;
    }
    parts.emplace_back(&job, inside);
    all_known = all_known && classes_[job.batch].alone_time >= kWindow;
  }
  double total = 0.0;
  for (const auto& [job, inside] : parts) {
    total += weight_of(job->batch, all_known) * micros(inside);
  }
  const bool alone = std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
    return part.first->batch == parts.front().first->batch;
  });
  for (const auto& [job, inside] : parts) {
    const double share = above_idle_uj * weight_of(job->batch, all_known) * micros(inside) / total;
    job->uj += share;
    job->covered += inside;
    Class& mine = classes_[job->batch];
    (alone ? mine.alone : mine.shared).add(share, inside);
    if (alone) {
      mine.alone_uj += share;
      mine.alone_time += inside;
    }
  }
}

void EnergyLedger::Windows::add(double share_uj, Micros inside) {
  uj += share_uj;
  time += inside;
  if (time >= kWindow) {
    watts.add(std::exchange(uj, 0.0) / micros(std::exchange(time, {})));
  }
}

std::optional<EnergyFigure> EnergyLedger::figure(Ticket ticket) const {
  const Job* job = find(ticket);
  const auto known = job != nullptr ? classes_.find(job->batch) : classes_.end();
  if (known == classes_.end() || job->end == Time::never() || idle_.count() < kBlocksMin) {
    return std::nullopt;
  }
  const bool alone = known->second.alone.watts.count() >= kBlocksMin;
  const RecentMean& mine = alone ? known->second.alone.watts : known->second.shared.watts;
  if (mine.count() < kBlocksMin) {
    return std::nullopt;
  }
  const Micros time = job->end - job->begin;
  // Idle power, and what a meter in steps rounds away at each of two levels.
  const double rounding = 1.96 * static_cast<double>(facts_.step.count) / 1000 / std::sqrt(6.0);
  // A share by time alone may be off by all of it.
  const double unshared = alone ? 0.0 : std::max(mine.mean(), 0.0);
  const double half = std::hypot(mine.half_width(), idle_.half_width(), rounding) + unshared;
  const bool own =
      job->covered >= time * 4 / 5 && job->covered >= (facts_.period + facts_.window) * 4;
  const double watts = own ? job->uj / micros(job->covered) : mine.mean();
  const auto energy = [&](double power) {
    return Microjoules{std::llround(std::max(power, 0.0) * micros(time))};
  };
  return EnergyFigure{energy(watts), energy(watts - half), energy(watts + half), facts_.evidence,
                      facts_.scope};
}

std::optional<IdlePower> EnergyLedger::idle() const {
  if (idle_.count() < kBlocksMin) {
    return std::nullopt;
  }
  return IdlePower{idle_.mean(), idle_.half_width(), idle_.count()};
}

}  // namespace juggler
