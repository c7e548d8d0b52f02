#pragma once
// The steps from a logged-in connection to a session with all its subscriptions.

#include <optional>
#include <string>
#include <vector>

#include "amqp/connection.h"
#include "amqp/epoch.h"
#include "amqp/session.h"
#include "core/rng.h"
#include "runtime/topology.h"

namespace juggler::amqp {

// What outlives a channel, because it belongs to the connection.
struct ConnectionNames {
  std::string suffix;       // makes the names of own queues unique
  std::string reply_queue;  // empty until it is declared
};

// One attempt at a session, on one channel. It makes calls, which wait for their answers, and stops
// where it must wait for something else: the lock, a queue that does not exist yet, a queue that
// is to be read first.
class SessionSetup {
 public:
  static constexpr std::uint16_t kChannel = 1;      // all that is acked or published
  static constexpr std::uint16_t kSideChannel = 2;  // browsing, and asking for what may not exist

  SessionSetup(const SessionSpec& spec, ConnectionNames& names);

  // Opens the channel: confirm mode, topology, reply queue.
  tl::expected<void, CallFailure> open(Connection& connection);
  // Goes on as far as possible. Returns true once: when the session is to be announced.
  tl::expected<bool, CallFailure> advance(Connection& connection, Time now);
  bool serving() const { return next_ >= spec_.subscriptions.size(); }
  // When advance() is worth calling again although nothing has arrived.
  Time next_wake() const { return done() ? Time::never() : wake_at_; }

  // Whose delivery it is. Empty where the consumer is unknown.
  struct Route {
    std::string queue;
    bool needs_ack = false;
  };
  std::optional<Route> route(const Delivery& delivery) const;
  // The broker cancelled a consumer: its queue is gone. False where the session cannot live on.
  bool cancelled(const std::string& consumer);
  void side_channel_closed() { side_open_ = false; }

  const TakenEpoch& epoch() const { return epoch_; }
  const std::string& reply_queue() const { return names_.reply_queue; }
  // The sequence number of the session's first publish.
  std::uint64_t first_publish() const { return spec_.take_epoch ? 2 : 1; }

 private:
  enum class Wait { None, Lock, Queue, Drain };
  struct State {
    bool active = false;   // consumed, or nothing to browse
    bool drained = false;  // all that lay there has come, or nobody waits for that
    std::string actual;    // the queue's name at the broker
  };

  bool done() const { return next_ >= spec_.subscriptions.size() && announced_; }
  bool may_announce() const;  // every lock is ours, and what comes before is read
  tl::expected<Reply, CallFailure> declare_replies(Connection& connection);
  tl::expected<void, CallFailure> consume_replies(Connection& connection);
  tl::expected<void, CallFailure> announce(Connection& connection);
  tl::expected<void, CallFailure> declare_own(Connection& connection, std::size_t index);
  // False where it has to wait.
  tl::expected<bool, CallFailure> start(Connection& connection, std::size_t index, Time now);
  // Takes the lock, or what stands for it until results are consumed. False where another has it.
  tl::expected<bool, CallFailure> take_lock(Connection& connection, std::uint32_t consumers,
                                            Time now);
  bool may_lead(bool led, Time now);
  tl::expected<bool, CallFailure> drain(Connection& connection, std::size_t index, Time now);
  tl::expected<bool, CallFailure> queue_exists(Connection& connection, const std::string& queue);
  tl::expected<void, CallFailure> open_side(Connection& connection);
  tl::expected<void, CallFailure> close_side(Connection& connection);
  tl::expected<void, CallFailure> consume(Connection& connection, std::size_t index);

  const SessionSpec& spec_;
  ConnectionNames& names_;
  std::vector<State> states_;
  std::size_t next_ = 0;
  Wait wait_ = Wait::None;
  bool waiting_logged_ = false;
  Time wake_at_;
  Micros queue_retry_;  // at most so long until the next look at a queue that is missing
  Rng rng_;             // spreads these looks: a fleet may join in one moment
  std::optional<Time> free_since_;  // nobody led at the first look
  bool leader_seen_ = false;
  bool side_open_ = false;
  QueueKind kind_ = QueueKind::Classic;
  bool announced_ = false;
  TakenEpoch epoch_;
};

}  // namespace juggler::amqp
