#include "amqp/session_setup.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>

#include "amqp/epoch.h"
#include "amqp/leader_queue.h"
#include "amqp/topology.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace juggler::amqp {
namespace {

constexpr Micros kLockRetry = milliseconds(200);
// Each look at a queue that is not there costs the broker a channel. A device that joins alone is
// there after the first; of a thousand the last waits for a minute (docs/performance.md).
constexpr Micros kQueueRetryFirst = milliseconds(250);
constexpr Micros kQueueRetryMax = seconds(8);
constexpr Micros kDrainRecheck = milliseconds(20);
constexpr const char* kReplyConsumer = "reply";
constexpr int kMost = 65'535;  // of AMQP

std::string consumer_tag(std::size_t index) { return fmt::format("s{}", index); }

std::optional<std::size_t> consumer_index(std::string_view tag) {
  std::size_t index = 0;
  if (!tag.starts_with('s')) {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(tag.data() + 1, tag.data() + tag.size(), index);
  return error == std::errc{} && end == tag.data() + tag.size() ? std::optional(index)
                                                                : std::nullopt;
}

std::int64_t unix_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

tl::expected<Reply, CallFailure> start_consumer(Connection& connection, std::uint16_t channel,
                                                const std::string& queue, const std::string& tag,
                                                const Subscription& subscription) {
  amqp_basic_qos_t qos{};
  qos.prefetch_count = static_cast<std::uint16_t>(std::clamp(subscription.prefetch, 0, kMost));
  auto limited = connection.call(channel, AMQP_BASIC_QOS_METHOD, qos, AMQP_BASIC_QOS_OK_METHOD);
  if (!limited) {
    return limited;
  }
  amqp_table_entry_t priority{};
  priority.key = to_bytes("x-priority");
  priority.value.kind = AMQP_FIELD_KIND_I64;
  priority.value.value.i64 = subscription.priority;
  amqp_basic_consume_t consume{};
  consume.queue = to_bytes(queue);
  consume.consumer_tag = to_bytes(tag);
  consume.no_ack = subscription.no_ack ? 1 : 0;
  consume.exclusive = subscription.exclusive ? 1 : 0;
  if (subscription.priority != 0) {
    consume.arguments = {1, &priority};
  }
  return connection.call(channel, AMQP_BASIC_CONSUME_METHOD, consume, AMQP_BASIC_CONSUME_OK_METHOD)
      .map_error([&](const CallFailure& failure) {
        return CallFailure{failure.reply_code,
                           fmt::format("cannot consume '{}': {}", queue, failure.message)};
      });
}

}  // namespace

SessionSetup::SessionSetup(const SessionSpec& spec, ConnectionNames& names)
    : spec_(spec),
      names_(names),
      states_(spec.subscriptions.size()),
      queue_retry_(kQueueRetryFirst),
      rng_(std::hash<std::string>{}(spec.connection_name)) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i].actual = spec.subscriptions[i].queue;
  }
}

tl::expected<void, CallFailure> SessionSetup::open(Connection& connection) {
  if (auto opened = connection.open_channel(kChannel); !opened) {
    return tl::unexpected(opened.error());
  }
  auto confirming = connection.call(kChannel, AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t{},
                                    AMQP_CONFIRM_SELECT_OK_METHOD);
  if (!confirming) {
    return tl::unexpected(confirming.error());
  }
  if (spec_.declare_topology) {
    const auto kind = find_queue_kind(connection, kSideChannel);
    if (!kind) {
      return tl::unexpected(kind.error());
    }
    kind_ = *kind;
    if (auto declared = declare(connection, kChannel, fleet_topology(kind_)); !declared) {
      return declared;
    }
  }
  return spec_.reply_queue ? consume_replies(connection) : tl::expected<void, CallFailure>();
}

tl::expected<void, CallFailure> SessionSetup::consume_replies(Connection& connection) {
  if (names_.reply_queue.empty()) {
    auto queue = declare_replies(connection);
    if (!queue) {
      return tl::unexpected(queue.error());
    }
    names_.reply_queue = queue->queue;
  }
  Subscription replies;
  replies.prefetch = 0;
  replies.no_ack = true;
  auto consumed = start_consumer(connection, kChannel, names_.reply_queue, kReplyConsumer, replies);
  return consumed ? tl::expected<void, CallFailure>() : tl::unexpected(consumed.error());
}

bool SessionSetup::may_announce() const {
  bool locked = true;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    locked = locked && (!spec_.subscriptions[i].exclusive || states_[i].active);
  }
  return locked && next_ >= spec_.announce_after;
}

tl::expected<bool, CallFailure> SessionSetup::advance(Connection& connection, Time now) {
  for (;;) {
    if (!announced_ && may_announce()) {
      wake_at_ = now;
      return announce(connection).map([] { return true; });
    }
    if (next_ >= spec_.subscriptions.size() || (wait_ != Wait::None && now < wake_at_)) {
      return false;
    }
    const bool was_active = states_[next_].active;
    auto went_on = was_active ? drain(connection, next_, now) : start(connection, next_, now);
    if (!went_on || !*went_on) {
      return went_on;
    }
    wait_ = Wait::None;
    waiting_logged_ = false;
    if (was_active) {
      ++next_;
    }
  }
}

tl::expected<void, CallFailure> SessionSetup::announce(Connection& connection) {
  if (spec_.take_epoch) {
    auto epoch = take_epoch(connection, kChannel, unix_seconds());
    if (!epoch) {
      return tl::unexpected(epoch.error());
    }
    epoch_ = *epoch;
  }
  announced_ = true;
  return {};
}

tl::expected<void, CallFailure> SessionSetup::declare_own(Connection& connection,
                                                          std::size_t index) {
  const Subscription& subscription = spec_.subscriptions[index];
  const OwnQueue& own = subscription.own;
  QueueSpec queue{.name = subscription.queue, .arguments = {}, .exclusive = true};
  if (own.unique_name) {
    queue.name = fmt::format("{}.{}", subscription.queue, names_.suffix);
  }
  if (own.message_ttl_ms > 0) {
    queue.arguments.push_back({"x-message-ttl", own.message_ttl_ms});
  }
  if (own.length_max > 0) {
    queue.arguments.push_back({"x-max-length", std::int64_t{own.length_max}});
  }
  if (own.bytes_max > Bytes{0}) {
    queue.arguments.push_back({"x-max-length-bytes", own.bytes_max.count});
  }
  Topology topology;
  topology.queues.push_back(queue);
  for (const OwnQueue::Binding& binding : own.bindings) {
    topology.bindings.push_back({binding.exchange, queue.name, binding.key});
  }
  states_[index].actual = queue.name;
  return declare(connection, kChannel, topology);
}

tl::expected<bool, CallFailure> SessionSetup::start(Connection& connection, std::size_t index,
                                                    Time now) {
  const Subscription& subscription = spec_.subscriptions[index];
  State& state = states_[index];
  if (subscription.own.wanted) {
    if (auto declared = declare_own(connection, index); !declared) {
      return tl::unexpected(declared.error());
    }
  } else if (spec_.role == SessionRole::Device) {
    auto exists = queue_exists(connection, subscription.queue);
    if (!exists) {
      return exists;
    }
    if (!*exists) {
      if (!waiting_logged_) {
        spdlog::info("broker: the queue '{}' is not there yet; waiting to be enrolled",
                     subscription.queue);
        waiting_logged_ = true;
      }
      wait_ = Wait::Queue;
      wake_at_ = now + queue_retry_ / 2 +
                 Micros{static_cast<std::int64_t>(
                     rng_.below(static_cast<std::uint64_t>(queue_retry_.count / 2)))};
      queue_retry_ = std::min(queue_retry_ * 2, kQueueRetryMax);
      return false;
    }
    queue_retry_ = kQueueRetryFirst;
  }
  bool drained = false;
  if (subscription.exclusive || subscription.drain_first || subscription.browse) {
    auto found = inspect_queue(connection, kChannel, state.actual);
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (subscription.exclusive) {
      auto taken = take_lock(connection, found->consumers, now);
      if (!taken || !*taken) {
        wait_ = Wait::Lock;
        wake_at_ = now + kLockRetry;
        return taken;
      }
    }
    // A quorum queue that has no leader at the moment says that it is empty. Once it is consumed
    // it has one, and drain() asks again.
    drained = found->messages == 0 && (kind_ == QueueKind::Classic || subscription.browse);
  }
  if (!(subscription.browse && drained)) {
    if (auto consumed = consume(connection, index); !consumed) {
      return tl::unexpected(consumed.error());
    }
  }
  state.active = true;
  state.drained = drained || !(subscription.drain_first || subscription.browse);
  return true;
}

// Whether the lock is free, and, where nobody was seen to have it, has been for as long as this
// controller gives way to others that start beside it.
bool SessionSetup::may_lead(bool led, Time now) {
  if (led) {
    leader_seen_ = true;
    if (!waiting_logged_) {
      spdlog::info("broker: another controller leads; standing by");
      waiting_logged_ = true;
    }
    return false;
  }
  free_since_ = free_since_.value_or(now);
  return leader_seen_ || now - *free_since_ >= spec_.lead_patience;
}

tl::expected<bool, CallFailure> SessionSetup::take_lock(Connection& connection,
                                                        std::uint32_t consumers, Time now) {
  if (kind_ == QueueKind::Classic) {
    // The consumer is the lock. Asked before it is tried: a refused consume would close the channel
    // twice a second, and fill the broker's log.
    return may_lead(consumers > 0, now);
  }
  if (auto opened = open_side(connection); !opened) {
    return tl::unexpected(opened.error());
  }
  auto led = leader_queue_is_held(connection, kSideChannel);
  if (!led) {
    return led;
  }
  if (!may_lead(*led, now)) {
    return false;
  }
  auto taken = take_leader_queue(connection, kSideChannel);
  if (!taken || !*taken) {
    side_open_ = false;
    return taken;
  }
  auto closed = close_side(connection);
  return closed ? taken : tl::unexpected(closed.error());
}

tl::expected<void, CallFailure> SessionSetup::consume(Connection& connection, std::size_t index) {
  const Subscription& subscription = spec_.subscriptions[index];
  std::uint16_t channel = kChannel;
  if (subscription.browse) {
    if (auto opened = open_side(connection); !opened) {
      return opened;
    }
    channel = kSideChannel;
  }
  Subscription wanted = subscription;
  if (kind_ == QueueKind::Quorum) {
    wanted.exclusive = false;  // the leader queue is the lock
    if (wanted.prefetch == 0) {
      wanted.prefetch = kMost;  // where a classic queue has no bound, a quorum queue has 2,000
    }
  }
  auto consumed =
      start_consumer(connection, channel, states_[index].actual, consumer_tag(index), wanted);
  return consumed ? tl::expected<void, CallFailure>() : tl::unexpected(consumed.error());
}

// True once what lay in the queue has come, or where nobody has to wait for it.
tl::expected<bool, CallFailure> SessionSetup::drain(Connection& connection, std::size_t index,
                                                    Time now) {
  State& state = states_[index];
  if (!state.drained) {
    auto found = inspect_queue(connection, kChannel, state.actual);
    if (!found) {
      return tl::unexpected(found.error());
    }
    // With nothing ready, all of it has been sent to us, ahead of this answer.
    state.drained = found->messages == 0;
  }
  if (!state.drained) {
    wait_ = Wait::Drain;
    wake_at_ = now + kDrainRecheck;
    return false;
  }
  if (spec_.subscriptions[index].browse && side_open_) {
    // Closing the channel puts everything back where it was.
    if (auto closed = close_side(connection); !closed) {
      return tl::unexpected(closed.error());
    }
  }
  return true;
}

tl::expected<bool, CallFailure> SessionSetup::queue_exists(Connection& connection,
                                                           const std::string& queue) {
  if (auto opened = open_side(connection); !opened) {
    return tl::unexpected(opened.error());
  }
  auto found = inspect_queue(connection, kSideChannel, queue);
  if (!found && found.error().reply_code == AMQP_NOT_FOUND) {
    side_open_ = false;
    return false;
  }
  if (!found) {
    return tl::unexpected(found.error());
  }
  auto closed = close_side(connection);
  return closed ? tl::expected<bool, CallFailure>(true) : tl::unexpected(closed.error());
}

tl::expected<void, CallFailure> SessionSetup::open_side(Connection& connection) {
  if (!side_open_) {
    if (auto opened = connection.open_channel(kSideChannel); !opened) {
      return tl::unexpected(opened.error());
    }
    side_open_ = true;
  }
  return {};
}

tl::expected<void, CallFailure> SessionSetup::close_side(Connection& connection) {
  auto closed = connection.close_channel(kSideChannel);
  side_open_ = false;
  return closed ? tl::expected<void, CallFailure>() : tl::unexpected(closed.error());
}

std::optional<SessionSetup::Route> SessionSetup::route(const Delivery& delivery) const {
  if (delivery.consumer == kReplyConsumer) {
    return Route{names_.reply_queue, false};
  }
  const auto index = consumer_index(delivery.consumer);
  if (!index || *index >= states_.size()) {
    return std::nullopt;
  }
  const Subscription& subscription = spec_.subscriptions[*index];
  return Route{subscription.queue, !subscription.no_ack && !subscription.browse};
}

bool SessionSetup::cancelled(const std::string& consumer) {
  const auto index = consumer_index(consumer);
  if (spec_.role != SessionRole::Device || !index || *index >= states_.size()) {
    return false;
  }
  states_[*index].active = false;
  next_ = std::min(next_, *index);
  wait_ = Wait::None;
  wake_at_ = Time{};
  return true;
}

}  // namespace juggler::amqp
