#include "telemetry/energy_meter.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>

namespace juggler {

EnergyMeter::EnergyMeter(std::unique_ptr<PowerMeter> meter, Clock& clock)
    : meter_(std::move(meter)),
      facts_(meter_->facts()),
      clock_(clock),
      log_(facts_),
      ledger_(facts_),
      thread_([this] { run(); }) {}

EnergyMeter::~EnergyMeter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_asked_.notify_all();
}

// A std::unique_lock, because a condition variable needs one; clang's analysis ends here.
void EnergyMeter::run() JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(mutex_.native());
  do {
    lock.unlock();
    read();
    lock.lock();
  } while (!stop_asked_.wait_for(lock, std::chrono::microseconds(facts_.period.count),
                                 [this]() JUGGLER_NO_THREAD_ANALYSIS { return stopping_; }));
}

// A value stands for the middle of its read and of the window that it is a mean of.
void EnergyMeter::read() {
  const Time before = clock_.now();
  const Fact<MeterReading> reading = meter_->read(before);
  const Time at = before + (clock_.now() - before) / 2 - facts_.window / 2;
  const MutexLock lock(mutex_);
  if (!reading.value.has_value()) {
    log_.lose();
    return;
  }
  if (const std::optional<EnergySlot> slot = log_.add(at, *reading.value)) {
    ledger_.add(*slot);
    last_ = slot;
  }
}

EnergyLedger::Ticket EnergyMeter::begin(BatchClass batch) {
  const Time now = clock_.now();
  const MutexLock lock(mutex_);
  return ledger_.begin(std::move(batch), now);
}

std::optional<EnergyFigure> EnergyMeter::end(EnergyLedger::Ticket ticket) {
  const Time now = clock_.now();
  const MutexLock lock(mutex_);
  ledger_.end(ticket, now);
  return ledger_.figure(ticket);
}

std::optional<PowerNow> EnergyMeter::power() const {
  const Time now = clock_.now();
  const MutexLock lock(mutex_);
  if (!last_.has_value() || now - last_->to > facts_.period * 3 + facts_.window) {
    return std::nullopt;
  }
  return PowerNow{{std::llround(last_->watts() * 1000)}, facts_.scope, facts_.evidence};
}

EnergySpan EnergyMeter::between(Time from, Time to) const {
  const MutexLock lock(mutex_);
  return log_.between(from, to);
}

IdlePower EnergyMeter::idle(const std::vector<std::pair<Time, Time>>& spans) const {
  const MutexLock lock(mutex_);
  return log_.idle(spans);
}

}  // namespace juggler
