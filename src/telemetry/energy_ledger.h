#pragma once
// Whose energy it was: what the meter says above idle, divided among the batches that ran.
//
// A meter is slower than most batches, so the ledger learns the power above idle of each class of
// batches (processor, variant, size) over windows of a second and more of running time, and a
// batch's energy is that power times its own time. A batch that spans several readings has its own
// figure. Where batches overlap, each slot of the meter is shared by the time that each ran in it,
// weighted by the power that its class takes alone, where that is known. A class that is never
// alone is known by its shares only, and its interval says so.
//
// Who else uses the machine is not told apart: what runs always counts as idle, what runs only
// beside our batches as theirs.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "core/evidence.h"
#include "core/units.h"
#include "telemetry/energy_log.h"
#include "telemetry/meter.h"
#include "telemetry/recent_mean.h"

namespace juggler {

struct BatchClass {
  std::string processor;
  std::string variant;
  std::size_t size = 1;

  friend auto operator<=>(const BatchClass&, const BatchClass&) = default;
};

// Deterministic: time comes with each call.
class EnergyLedger {
 public:
  explicit EnergyLedger(MeterFacts facts);

  using Ticket = std::uint64_t;
  Ticket begin(BatchClass batch, Time now);
  void end(Ticket ticket, Time now);
  // The meter's next slot; slots come in order.
  void add(const EnergySlot& slot);

  // The energy above idle of a batch that has ended; nothing until enough was seen of idling and of
  // its class.
  std::optional<EnergyFigure> figure(Ticket ticket) const;
  std::optional<IdlePower> idle() const;

 private:
  struct Job {
    Ticket ticket = 0;
    BatchClass batch;
    Time begin;
    Time end = Time::never();
    double uj = 0.0;   // its shares so far
    Micros covered{};  // of its time, by slots
  };
  // Power above idle, by windows.
  struct Windows {
    RecentMean watts{64};
    double uj = 0.0;  // of the window that is filling
    Micros time{};

    void add(double share_uj, Micros inside);
  };
  struct Class {
    Windows alone;   // of slots that no other class shared
    Windows shared;  // of the others: only as good as the shares are
    double alone_uj = 0.0;
    Micros alone_time{};
  };

  void add_idle(const EnergySlot& slot);
  void divide(const EnergySlot& slot, double above_idle_uj);
  double weight_of(const BatchClass& batch, bool all_known) const;
  const Job* find(Ticket ticket) const;

  static constexpr std::size_t kJobsMax = 4096;
  static constexpr std::size_t kClassesMax = 1024;
  static constexpr std::size_t kBlocksMin = 3;

  MeterFacts facts_;
  std::deque<Job> jobs_;  // by ticket; those that slots may still cover, and the last ended
  std::map<BatchClass, Class> classes_;
  RecentMean idle_{120};
  double idle_uj_ = 0.0;  // of the block that is filling
  Micros idle_time_{};
  Ticket last_ticket_ = 0;
};

}  // namespace juggler
