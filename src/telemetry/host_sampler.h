#pragma once
// Everything that this device says of itself, sampled by a thread of its own: reading a power rail
// may take 13 ms, and nothing else shall wait for it.

#include <condition_variable>
#include <memory>
#include <thread>
#include <vector>

#include "core/host_sample.h"
#include "runtime/clock.h"
#include "runtime/mutex.h"
#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/mailbox.h"
#include "telemetry/reading.h"

namespace juggler {

// The probes of a machine, without a thread: one round of them at a time.
class HostProbes {
 public:
  // All outlive it; `mailbox` may be null.
  HostProbes(HostFiles& host, HostFiles& own, const Discovery& found, Mailbox* mailbox);

  Readings sample(Time now);

 private:
  std::vector<std::unique_ptr<Probe>> probes_;
};

// What of it goes into each heartbeat. Power is not among it: the meter says that.
HostSample summary_of(const Readings& readings);

// Samples every `period` until it is destroyed. What it found stands from the constructor on.
class HostSampler {
 public:
  struct Options {
    std::string host_root = "/";
    Micros period = seconds(1);
  };
  explicit HostSampler(Options options);
  ~HostSampler();

  // The last round. Its values' ages count from their time.
  //
  // thread  any
  std::shared_ptr<const Readings> readings() const;
  // Its summary, with its age.
  HostSample summary() const;
  const Discovery& found() const { return found_; }

 private:
  void run();

  const Options options_;
  DiskFiles host_;
  DiskFiles own_;
  Discovery found_;
  std::unique_ptr<Mailbox> mailbox_;  // null but on a Raspberry Pi
  HostProbes probes_;
  mutable SystemClock clock_;
  mutable Mutex mutex_;
  std::condition_variable stop_asked_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Readings> last_ GUARDED_BY(mutex_);
  std::jthread thread_;  // last: it uses the others
};

}  // namespace juggler
