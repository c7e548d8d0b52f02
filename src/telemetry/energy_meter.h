#pragma once
// A meter at work: a thread of its own reads it (one read may take 26 ms, or seconds over a
// network), and the energy is divided among the batches that run meanwhile.

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>

#include "core/host_sample.h"
#include "runtime/clock.h"
#include "runtime/mutex.h"
#include "telemetry/energy_ledger.h"
#include "telemetry/energy_log.h"
#include "telemetry/meter.h"

namespace juggler {

// thread  any, but for what it is made with
class EnergyMeter {
 public:
  // The clock outlives it.
  EnergyMeter(std::unique_ptr<PowerMeter> meter, Clock& clock);
  ~EnergyMeter();

  EnergyLedger::Ticket begin(BatchClass batch);
  // What the batch took; nothing where the ledger has not seen enough.
  std::optional<EnergyFigure> end(EnergyLedger::Ticket ticket);

  // The last power; nothing where it is older than three periods.
  std::optional<PowerNow> power() const;
  EnergySpan between(Time from, Time to) const;
  IdlePower idle(const std::vector<std::pair<Time, Time>>& spans) const;
  const MeterFacts& facts() const { return facts_; }

 private:
  void run();
  void read();

  std::unique_ptr<PowerMeter> meter_;
  const MeterFacts facts_;
  Clock& clock_;
  mutable Mutex mutex_;
  std::condition_variable stop_asked_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  EnergyLog log_ GUARDED_BY(mutex_);
  EnergyLedger ledger_ GUARDED_BY(mutex_);
  std::optional<EnergySlot> last_ GUARDED_BY(mutex_);
  std::jthread thread_;  // last: it uses the others
};

}  // namespace juggler
