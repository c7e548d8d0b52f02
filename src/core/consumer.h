#pragma once
// The consumer as a deterministic state machine: step(now, event) -> actions.
//
// It queues what is dispatched to its processors, forms batches, drops what has expired, and
// acknowledges a dispatch only after its result was confirmed. It does no I/O, reads no clock and
// runs no network; `src/runtime` runs it.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/consumer_messages.h"
#include "core/device.h"
#include "core/device_queue.h"
#include "core/shared_board.h"
#include "core/timers.h"

namespace juggler {

struct ConsumerConfig {
  Micros heartbeat = seconds(1);  // until a controller asks for another
  Micros heartbeat_min = milliseconds(100);
  Micros heartbeat_max = seconds(60);
  std::size_t results_max = 1024;  // remembered, to answer a redelivery without running it again
  std::size_t queue_max = 256;     // dispatches waiting on the device
  Micros gather_max = seconds(2);  // until a batch of which a part is missing runs without it
  // A variant that failed on a processor is tried again there after so long, each time after twice
  // as long.
  Micros stop_first = seconds(1);
  Micros stop_max = seconds(300);
};

struct ConsumerStats {
  std::uint64_t received = 0;
  std::uint64_t repeated = 0;  // redeliveries answered from memory
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t expired = 0;
  std::uint64_t refused = 0;
  std::uint64_t batches = 0;
  std::uint64_t fell_back = 0;  // tasks that went on on another processor
};

class Consumer {
 public:
  Consumer(ConsumerConfig config, DeviceFacts facts);

  // Takes one event and appends what is to be done, in order.
  void step(Time now, ConsumerEvent event, std::vector<ConsumerAction>& actions);
  // When step() wants a Tick at the latest.
  Time next_timer() const;

  const DeviceFacts& facts() const { return facts_; }
  const ConsumerStats& stats() const { return stats_; }
  bool draining() const { return draining_; }
  std::size_t jobs() const;  // dispatches that wait or run

 private:
  struct Batch {
    std::uint64_t id = 0;
    std::vector<Job> jobs;
    Time began{};
  };
  // A variant that has failed on a processor, and has not run there since.
  struct Stop {
    std::string reason;
    Micros pause;
    Time until;
  };
  struct Lane {
    DeviceQueue waiting;
    std::optional<Batch> running;
    std::set<std::string> loaded;    // variants that were loaded at first, or have run
    std::set<std::string> unloaded;  // of those, what the engine has given up since
    std::map<std::string, Stop> stops;
  };
  // A result on its way: kept until the broker has it.
  struct SentResult {
    Shared<AttemptResult> result;
    std::optional<DeliveryId> delivery;  // of its dispatch, acked after the confirm
    PublishId publish = 0;               // 0: not under way
    bool confirmed = false;
  };

  void on(const LinkUp& event);
  void on(const LinkDown& event);
  void on(const ServingChanged& event);
  void on(DispatchArrived& event);
  void on(BatchFinished& event);
  void on(const VariantUnloaded& event);
  void on(const HelloAsked& event);
  void on(const HostSampled& event);
  void on(const DrainAsked& event);
  void on(const BeatAsked& event);
  void on(const PublishSettled& event);
  void on(const Tick& event);

  void take_over(std::optional<DeliveryId>& held, DeliveryId delivery);
  bool recognise(const DispatchArrived& event);
  std::string refusal(const Dispatch& dispatch) const;
  void start_next(std::size_t lane);
  Micros end_run(std::size_t lane, Micros compute);
  AttemptResult result_for(const Job& job, AttemptStatus status, std::string reason) const;
  void finish(const Job& job, AttemptResult result);
  void send(SentResult& sent);
  void forget_old_results();
  void beat();
  std::optional<Bytes> memory_free() const;
  void leave_if_done();
  void say_hello();

  // Failed engines, in consumer_falling_back.cc.
  void stop(std::size_t lane, const std::string& variant, const std::string& reason);
  const Stop* stop_of(std::size_t lane, const std::string& variant) const;
  std::optional<std::size_t> way_out(Job& job);
  bool fall_back(Job& job, const std::string& reason);
  void fall_back_or_refuse(Job& job, const std::string& reason);

  ConsumerConfig config_;
  DeviceFacts facts_;
  std::vector<Lane> lanes_;  // in the order of facts_.processors
  SharedBoard board_;        // likewise: which of them run
  std::map<AttemptId, SentResult> results_;
  std::deque<AttemptId> results_order_;
  std::unordered_map<PublishId, AttemptId> publishes_;  // looked up, never iterated
  HostSample host_;
  ConsumerStats stats_;

  bool linked_ = false;
  bool draining_ = false;
  bool left_ = false;
  std::int64_t epoch_ = 0;  // the highest seen
  int sessions_ = 0;        // with the broker, so far
  Micros every_;            // from one heartbeat to the next
  Time next_beat_ = Time::never();
  std::uint64_t last_batch_ = 0;
  PublishId last_publish_ = 0;

  // Of the running step().
  Time now_;
  std::vector<ConsumerAction>* actions_ = nullptr;
};

}  // namespace juggler
