#pragma once
// The Executor port in virtual time: what a batch takes and costs comes from the device's true
// profile, with seeded noise and whatever is wrong with the device at the moment.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/board_curves.h"
#include "core/device.h"
#include "core/host_sample.h"
#include "core/loaded_variants.h"
#include "core/rng.h"
#include "core/shared_board.h"
#include "runtime/engine.h"
#include "sim/agenda.h"
#include "sim/power_track.h"
#include "sim/transport.h"

namespace juggler::sim {

// What a processor has really done.
struct ProcessorUse {
  std::uint64_t batches = 0;
  std::uint64_t tasks = 0;
  Micros busy;                       // computing and loading
  std::uint64_t memory_refused = 0;  // batches whose variant had no room
  Microjoules energy;                // above idle, at the board's input; where the profile knows it
  std::vector<std::uint64_t> batch_sizes;  // batches by their size
};

class SimExecutor final : public Executor, public Sleeper {
 public:
  // `noise`: 1 draws what mean and p95 say, 0 takes the mean. `power` is told what runs, and may be
  // null; `curves` are its board's. requires  `truth` and `power` outlive it
  SimExecutor(Agenda& agenda, const DeviceFacts& truth, double noise, std::uint64_t seed,
              TransportOwner& owner, PowerTrack* power = nullptr, BoardCurves curves = {});

  void start(BatchJob job) override;
  void collect(std::vector<BatchDone>& done) override;
  void collect_unloaded(std::vector<VariantUnloaded>& unloaded) override;
  void wake(std::uint64_t what) override;

  // The process has ended: what runs is lost, nothing is loaded any more.
  void forget();

  // Has these variants of a processor loaded; none where loads fail. Returns those that are.
  std::vector<std::string> preload(std::size_t processor, std::vector<std::string> variants);
  // What a time of the profile really is now.
  Micros slowed(Micros time) const { return time * slowness_permille_ / 1000; }

  // What its board's curves say of the moment, for a heartbeat.
  void add_warmth(HostSample& sample);

  // What is wrong with the device. Counts for batches that start from now on.
  void slow_down(std::int64_t permille) { slowness_permille_ = permille; }
  void fail(std::int64_t per_million) { failures_per_million_ = per_million; }
  void refuse_loads(bool refuses) { refuses_loads_ = refuses; }  // out of memory

  const std::vector<ProcessorUse>& use() const { return use_; }  // in the order of the facts

 private:
  struct Lane {
    std::deque<BatchJob> jobs;  // the first one runs
    BatchReport report;         // of the one that runs
    Milliwatts power;           // what that takes above idle, at the board's input
    Micros alone;               // what that would take if no other processor worked
    Time began;
    Time ends;  // as the processors work now
    Rng rng{0};
  };
  void begin(std::size_t lane);
  Micros run(std::size_t lane, const BatchJob& job);
  void schedule();
  void end_run(std::size_t lane);
  Result<Micros> load(std::size_t lane, const Profile& profile);
  void set_power(Lane& lane, Milliwatts power);
  void fail_all(BatchReport& report, const BatchJob& job, const char* reason);

  Agenda& agenda_;
  const DeviceFacts& truth_;
  double noise_;
  TransportOwner& owner_;
  PowerTrack* power_;
  LoadedVariants loaded_;
  std::vector<VariantUnloaded> unloaded_;
  std::vector<Lane> lanes_;
  SharedBoard board_;
  bool curved_;
  BoardState state_;
  std::vector<ProcessorUse> use_;
  std::vector<BatchDone> done_;
  std::uint64_t life_ = 0;
  std::int64_t slowness_permille_ = 1000;
  std::int64_t failures_per_million_ = 0;
  bool refuses_loads_ = false;
};

}  // namespace juggler::sim
