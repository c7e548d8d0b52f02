#pragma once
// The load of a live run: sends every task when it is due, whatever has become of those before
// (open loop), and collects the outcomes. Latency counts from when a task was due, not from when it
// went out; how late the sender itself was is measured apart.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/task.h"
#include "runtime/clock.h"
#include "runtime/transport.h"
#include "sim/metrics.h"
#include "sim/workload.h"

namespace juggler {

// What every task of a class has in common.
struct LiveDemand {
  Requirements requirements;
  PayloadKind kind = PayloadKind::Jpeg;
  wire::Body payload;
};

// How late tasks went out: handed to the connection after they were due.
struct SenderReport {
  std::uint64_t sent = 0;
  Micros late_p50;
  Micros late_p99;
  Micros late_max;
  std::uint64_t late = 0;        // later than kSenderLateMax
  std::uint64_t sent_again = 0;  // after a lost connection, under the same id

  // Whether the load was the scenario's: at most one task in a hundred was late.
  bool kept_up() const { return late * 100 <= sent; }
};

inline constexpr Micros kSenderLateMax = milliseconds(5);

struct LiveProgress {
  std::size_t sent = 0;
  std::size_t ended = 0;
  std::size_t total = 0;
};

struct LiveLoadOptions {
  std::string user{};            // the login's name, where the broker checks it
  std::string prefix;            // of the tasks' ids: of this run alone
  Micros answer_wait_max;        // after the last arrival, for what is still open
  std::function<bool()> stop{};  // called at least every 100 ms; true ends the run. May be empty
  std::function<void(const LiveProgress&)> progress{};  // as often; may be empty
};

class LiveLoad {
 public:
  // requires  transport and clock outlive it; thread: the one that polls
  LiveLoad(Transport& transport, Clock& clock, std::vector<LiveDemand> demands,
           std::vector<Arrival> arrivals, LiveLoadOptions options)
      : transport_(transport),
        clock_(clock),
        demands_(std::move(demands)),
        arrivals_(std::move(arrivals)),
        options_(std::move(options)),
        tasks_(arrivals_.size()) {}

  // errors  Unavailable with the last reason
  Result<void> connect(Micros wait_max);

  // Sends the load from `origin` on, the scenario's time 0, and writes the books. Returns when all
  // is answered, when the time for that is over, or at a stop.
  void run(sim::Metrics& metrics, Time origin);

  bool stopped() const { return stopped_; }
  SenderReport sender() const;
  // What is wrong with the run, in words: tasks that nobody answered, answers that nobody expects.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Task {
    bool settled = false;  // the broker has it, or has said that it will not
    bool ended = false;
  };

  void poll(Micros wait_max);
  void handle(const TransportConnected& event);
  void handle(const TransportDisconnected& event);
  void handle(const TransportBlocked& event);
  void handle(const TransportDelivery& event);
  void handle(const TransportPresence& /*event*/) {}  // a controller's question
  void handle(const TransportServing& /*event*/) {}
  void handle(const TransportSettled& event);

  void send_due();
  void send(std::size_t task);
  void end(std::size_t task);
  std::optional<std::size_t> number_of(const std::string& id) const;
  Time due(std::size_t task) const { return origin_ + (arrivals_[task].at - Time{}); }
  void complain(std::string what);
  void close_books();

  Transport& transport_;
  Clock& clock_;
  std::vector<LiveDemand> demands_;
  std::vector<Arrival> arrivals_;
  LiveLoadOptions options_;
  std::vector<Task> tasks_;
  std::vector<std::int64_t> late_us_;
  std::size_t next_ = 0;
  std::size_t ended_ = 0;
  std::uint64_t sent_again_ = 0;
  Time origin_;
  Time now_;  // when the events came that are handled
  sim::Metrics* metrics_ = nullptr;
  std::string reply_queue_;  // empty: not connected
  std::string problem_;      // of the connection, the last one
  PublishId last_publish_ = 0;
  std::unordered_map<PublishId, std::size_t> open_publishes_;
  std::vector<TransportEvent> events_;
  std::vector<std::string> complaints_;
  bool stopped_ = false;
};

}  // namespace juggler
