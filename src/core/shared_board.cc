#include "core/shared_board.h"

#include <algorithm>

#include "core/check.h"

namespace juggler {

SharedBoard::SharedBoard(const std::vector<Processor>& processors) : runs_(processors.size()) {
  for (std::size_t p = 0; p < processors.size(); ++p) {
    for (const Slowdown& slowdown : processors[p].slowed_by) {
      for (std::size_t other = 0; other < processors.size(); ++other) {
        if (processors[other].id == slowdown.by && slowdown.permille > kSlowdownMin) {
          runs_[p].slowed_by.emplace_back(other, slowdown.permille);
          shared_ = true;
        }
      }
    }
  }
}

std::int64_t SharedBoard::nanos_of(const Run& run, Time now) const {
  return run.nanos + (now - since_).count * 1'000'000 / run.permille;
}

void SharedBoard::advance(Time now) {
  JUGGLER_CHECK(now >= since_, "time does not run backwards");
  for (Run& run : runs_) {
    run.nanos = run.works ? nanos_of(run, now) : 0;
  }
  since_ = now;
}

void SharedBoard::work_out() {
  for (Run& run : runs_) {
    run.permille = kSlowdownMin;
    for (const auto& [other, permille] : run.slowed_by) {
      if (runs_[other].works) {
        run.permille = std::min(run.permille * permille / 1000, kSlowdownMax);
      }
    }
  }
}

void SharedBoard::begin(std::size_t processor, Time now) {
  advance(now);
  JUGGLER_CHECK(!runs_[processor].works, "a processor runs one batch after the other");
  runs_[processor].works = true;
  work_out();
}

void SharedBoard::end(std::size_t processor, Time now) {
  advance(now);
  runs_[processor].works = false;
  runs_[processor].nanos = 0;
  work_out();
}

Micros SharedBoard::progress(std::size_t processor, Time now) const {
  return {nanos_of(runs_[processor], std::max(now, since_)) / 1000};
}

Micros SharedBoard::overdue(std::size_t processor, Micros alone, Time now) const {
  const Run& run = runs_[processor];
  const std::int64_t over = std::max<std::int64_t>(nanos_of(run, now) - alone.count * 1000, 0);
  return {over * run.permille / 1'000'000};
}

Time SharedBoard::done_at(std::size_t processor, Micros alone, Time now) const {
  const Run& run = runs_[processor];
  const std::int64_t left = std::max<std::int64_t>(alone.count * 1000 - nanos_of(run, now), 0);
  return now + Micros{(left * run.permille + 999'999) / 1'000'000};
}

}  // namespace juggler
