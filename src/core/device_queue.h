#pragma once
// What waits on a device for one of its processors, in the batches in which it was dispatched. It
// runs nothing and answers nobody: the consumer does.

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "core/device.h"
#include "core/handles.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

// One dispatch on the device.
struct Job {
  Dispatch dispatch;
  std::optional<DeliveryId> delivery;  // none while its connection is gone
  std::string fell_back{};             // as AttemptResult::fell_back
  bool redelivered = false;
  Time received;
  Time started;
  Time expires;
};

class DeviceQueue {
 public:
  // A dispatch joins its batch, or begins one. What is delivered again waits for nobody: the rest
  // of its batch may have been answered long ago.
  void add(Job job);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Job* find(const AttemptId& attempt);  // null if it does not wait here
  void lose_deliveries();               // the connection is gone

  // Takes out those that are to run with this variant.
  std::vector<Job> take_variant(const std::string& variant);
  // Takes out those whose deadline has passed.
  std::vector<Job> take_expired(Time now);

  // Takes the jobs to run together now: the first batch that is ready, whole, and other ready
  // batches of its variant, whole, as long as the processor takes so many and none would miss its
  // deadline for it. Empty if nothing is ready.
  std::vector<Job> take(const Processor& processor, Time now, Micros gather_max);

  // When something will be ready, if nothing else arrives; never if nothing waits.
  Time next_ready(const Processor& processor, Micros gather_max) const;

 private:
  struct Batch {
    std::vector<Job> jobs;
    int missing = 0;  // dispatches that have not arrived
  };
  Time ready_at(const Batch& batch, const Processor& processor, Micros gather_max) const;
  void erase_empty();
  template <class Stays>
  std::vector<Job> take_if_not(Stays stays);

  std::deque<Batch> batches_;  // in the order in which they began; none is empty
  std::size_t size_ = 0;
};

}  // namespace juggler
