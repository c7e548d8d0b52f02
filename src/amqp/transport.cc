#include "amqp/transport.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "amqp/monotonic.h"
#include "core/check.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace juggler::amqp {
namespace {

// Beyond this, publishes wait in the queue, where an alarm of the broker can still hold them.
constexpr std::size_t kUnsentMax = 1 << 20;

// A broker that is there and confirms nothing for so long has lost what it was sent: seen where a
// node of a cluster hung that led a queue. Others than a controller may be behind a link on which a
// picture takes a minute.
constexpr Micros kConfirmMaxOfController = seconds(30);
constexpr Micros kConfirmMax = seconds(180);

std::size_t size_of(const wire::Envelope& message) {
  return (message.body ? message.body->size() : 0) + 512;  // properties, frames
}

// Queues that are exclusive, most of them under a name that who follows needs. Of a controller on a
// cluster the lock is one, too.
bool owns_queues(const SessionSpec& spec) {
  const auto own = [](const Subscription& subscription) { return subscription.own.wanted; };
  return spec.role == SessionRole::Controller ||
         std::any_of(spec.subscriptions.begin(), spec.subscriptions.end(), own);
}

std::uint64_t seed() {
  return static_cast<std::uint64_t>(getpid()) << 40U ^
         static_cast<std::uint64_t>(monotonic_now().us);
}

}  // namespace

std::unique_ptr<Transport> make_transport(SessionSpec spec) {
  return std::make_unique<AmqpTransport>(std::move(spec));
}

AmqpTransport::AmqpTransport(SessionSpec spec)
    : spec_(std::move(spec)),
      nodes_(spec_.broker, spec_.read_again),
      ladder_(seed(), spec_.reconnect_max),
      admin_(spec_.broker, [this] { wake_.set(); }) {}

void AmqpTransport::publish(PublishId id, wire::Envelope message) {
  const std::size_t size = size_of(message);
  const std::size_t body = message.body ? message.body->size() : 0;
  const std::size_t unsent = connection_ ? connection_->unsent() : 0;
  if (closed_ || (spec_.role == SessionRole::Controller && !announced_)) {
    // What was decided under an earlier lead must not go out under a later one.
    events_.push_back(TransportSettled{id, PublishEnd::Unknown});
  } else if (body > static_cast<std::size_t>(kMessageMax.count)) {
    refuse(id, message, fmt::format("it has {} bytes; the limit is {}", body, kMessageMax.count));
  } else if (confirms_.open() + queued_publishes_ >= spec_.publishes_max) {
    refuse(id, message, fmt::format("{} others are not settled yet", spec_.publishes_max));
  } else if (queued_bytes_ + unsent + size >
             static_cast<std::size_t>(spec_.publish_bytes_max.count)) {
    refuse(id, message, fmt::format("{} bytes already wait to be sent", queued_bytes_ + unsent));
  } else if (queued_.empty() && may_publish()) {
    send({id, std::move(message)});
  } else {
    ++queued_publishes_;
    queued_bytes_ += size;
    queued_.push_back(Publish{id, std::move(message)});
  }
}

void AmqpTransport::refuse(PublishId id, const wire::Envelope& message, const std::string& why) {
  spdlog::warn("broker: not published to '{}' ({}): {}", message.routing_key, message.message_id,
               why);
  events_.push_back(TransportSettled{id, PublishEnd::Refused});
}

void AmqpTransport::ack(DeliveryId delivery) { settle({delivery, Settlement::Kind::Ack}); }

void AmqpTransport::reject(DeliveryId delivery, bool requeue) {
  settle({delivery, requeue ? Settlement::Kind::Requeue : Settlement::Kind::Reject});
}

// An ack never overtakes a publish that was queued before it: who acks after publishing may rely on
// the broker having the one if it has the other.
void AmqpTransport::settle(const Settle& command) {
  if (command.delivery.incarnation != incarnation_ || command.delivery.tag == 0) {
    return;
  }
  if (queued_.empty()) {
    acks_.settle(command.delivery.tag, command.kind);
  } else {
    queued_.push_back(command);
  }
}

bool AmqpTransport::may_publish() const {
  return announced_ && !blocked_ && connection_->unsent() < kUnsentMax;
}

void AmqpTransport::send(const Publish& publish) {
  if (auto sent = connection_->send_message(SessionSetup::kChannel, publish.message); !sent) {
    refuse(publish.id, publish.message, sent.error().message);
    return;
  }
  confirms_.sent(publish.id, publish.message, monotonic_now());
}

void AmqpTransport::send_queued() {
  while (!queued_.empty()) {
    if (const auto* publish = std::get_if<Publish>(&queued_.front())) {
      if (!may_publish()) {
        break;
      }
      --queued_publishes_;
      queued_bytes_ -= size_of(publish->message);
      send_settlements();  // those that were queued before it
      send(*publish);
    } else {
      const auto& settle = std::get<Settle>(queued_.front());
      acks_.settle(settle.delivery.tag, settle.kind);
    }
    queued_.pop_front();
  }
  send_settlements();
}

void AmqpTransport::send_settlements() {
  settlements_.clear();
  acks_.take(settlements_);
  for (const Settlement& settlement : settlements_) {
    if (settlement.kind == Settlement::Kind::Ack) {
      amqp_basic_ack_t ack{};
      ack.delivery_tag = settlement.tag;
      ack.multiple = settlement.multiple ? 1 : 0;
      (void)connection_->send(SessionSetup::kChannel, AMQP_BASIC_ACK_METHOD, ack);
    } else {
      amqp_basic_reject_t reject{};
      reject.delivery_tag = settlement.tag;
      reject.requeue = settlement.kind == Settlement::Kind::Requeue ? 1 : 0;
      (void)connection_->send(SessionSetup::kChannel, AMQP_BASIC_REJECT_METHOD, reject);
    }
  }
}

// Begins an attempt, or takes what has come of it.
void AmqpTransport::connect(Time now) {
  if (!connector_.under_way()) {
    connector_.start(nodes_.next(), spec_.connection_name, spec_.heartbeat_s);
    return;
  }
  auto opened = connector_.take();
  if (!opened) {
    return;
  }
  if (!*opened) {
    lose_connection(opened->error().message, now);
    return;
  }
  connection_ = std::move(**opened);
  admin_.use(nodes_.all());
  names_ = {fmt::format("{}.{}", getpid(), monotonic_now().us), {}};
  open_session(now);
}

void AmqpTransport::open_session(Time now) {
  ++incarnation_;
  session_.emplace(spec_, names_);
  auto opened = session_->open(*connection_);
  if (!opened) {
    // A refusal closed the channel only, but nothing here can be tried otherwise.
    lose_connection(describe(opened.error()), now);
  }
}

void AmqpTransport::advance_session(Time now) {
  auto announce = session_->advance(*connection_, now);
  if (!announce) {
    if (announce.error().reply_code == 0) {
      lose_connection(describe(announce.error()), now);
    } else {
      lose_channel(describe(announce.error()), now);
    }
    return;
  }
  if (*announce) {
    announced_ = true;
    serving_ = false;
    ladder_.succeeded(now);
    confirms_.restart(session_->first_publish());
    events_.push_back(TransportConnected{incarnation_, session_->epoch().epoch,
                                         session_->reply_queue(), session_->epoch().previous});
  }
  tell_serving();
}

void AmqpTransport::tell_serving() {
  if (announced_ && serving_ != session_->serving()) {
    serving_ = session_->serving();
    events_.push_back(TransportServing{serving_});
  }
}

void AmqpTransport::receive(Time now) {
  incoming_.clear();
  auto received = connection_->receive(now, incoming_);
  for (Incoming& incoming : incoming_) {
    if (!session_) {
      break;  // the channel was closed: what follows is void
    }
    take(incoming, now);
  }
  if (!received && connection_) {
    lose_connection(received.error().message, now);
  }
}

void AmqpTransport::take(Incoming& incoming, Time now) {
  if (auto* delivery = std::get_if<Delivery>(&incoming)) {
    take_delivery(*delivery);
  } else if (const auto* confirm = std::get_if<Confirm>(&incoming)) {
    confirms_.confirm(*confirm, events_);
  } else if (const auto* returned = std::get_if<Returned>(&incoming)) {
    confirms_.returned(returned->envelope);
  } else if (const auto* blocked = std::get_if<Blocked>(&incoming)) {
    blocked_ = blocked->blocked;
    takes_since_ = now;
    events_.push_back(TransportBlocked{blocked_, blocked->reason});
  } else if (const auto* cancelled = std::get_if<Cancelled>(&incoming)) {
    if (!session_->cancelled(cancelled->consumer)) {
      lose_connection("a queue of this session was deleted", now);
    } else {
      tell_serving();
    }
  } else if (const auto* closed = std::get_if<ChannelClosed>(&incoming)) {
    if (closed->channel == SessionSetup::kSideChannel) {
      session_->side_channel_closed();
    } else {
      lose_channel(fmt::format("the broker closed the channel: {} {}", closed->code, closed->text),
                   now);
    }
  }
}

void AmqpTransport::take_delivery(Delivery& delivery) {
  auto route = session_->route(delivery);
  if (!route) {
    return;
  }
  if (delivery.too_large && !route->needs_ack) {
    spdlog::warn("broker: a message of '{}' is too large to be read; left out", route->queue);
    return;
  }
  const std::uint64_t tag = route->needs_ack ? delivery.tag : 0;
  if (tag != 0) {
    acks_.delivered(tag);
  }
  events_.push_back(TransportDelivery{{incarnation_, tag},
                                      std::move(route->queue),
                                      delivery.redelivered,
                                      std::move(delivery.envelope),
                                      delivery.too_large});
}

void AmqpTransport::lose_channel(const std::string& reason, Time now) {
  const bool was_announced = announced_;
  announced_ = false;
  if (owns_queues(spec_)) {
    // They are the connection's, not the channel's: who is to follow would be refused them.
    connection_.reset();
    blocked_ = false;
  }
  session_.reset();
  acks_.clear();
  confirms_.lose(events_);
  // What waited to be sent was meant for the session that is gone; before the first session,
  // and between sessions, it waits on.
  std::erase_if(queued_, [&](const Command& command) {
    const auto* publish = std::get_if<Publish>(&command);
    if (publish != nullptr && was_announced) {
      events_.push_back(TransportSettled{publish->id, PublishEnd::Unknown});
    }
    return publish == nullptr || was_announced;
  });
  if (was_announced) {
    queued_publishes_ = 0;
    queued_bytes_ = 0;
  }
  events_.push_back(TransportDisconnected{reason});
  retry_at_ = ladder_.failed(now);
}

void AmqpTransport::lose_connection(const std::string& reason, Time now) {
  connection_.reset();
  nodes_.lost();
  blocked_ = false;
  lose_channel(reason, now);
}

// One round without waiting: connect if due, send, receive, go on with the session.
void AmqpTransport::step(Time now) {
  if (closed_) {
    return;
  }
  if (!session_ && now >= retry_at_) {
    if (connection_) {
      open_session(now);
    } else {
      connect(now);
    }
  }
  if (!connection_) {
    return;
  }
  if (session_) {
    send_queued();
  }
  if (auto sent = connection_->flush(now); !sent) {
    // What the broker said before it closed is still there to be read, and says why.
    const std::string reason = sent.error().message;
    receive(now);
    if (connection_) {
      lose_connection(reason, now);
    }
    return;
  }
  receive(now);
  const Micros patience =
      spec_.role == SessionRole::Controller ? kConfirmMaxOfController : kConfirmMax;
  const Time long_ago = now - patience;
  if (session_ && !blocked_ && takes_since_ <= long_ago && confirms_.oldest() <= long_ago) {
    lose_connection(fmt::format("the broker has not confirmed a message within {} s",
                                patience.count / 1'000'000),
                    now);
    return;
  }
  // A broker in alarm answers no calls either; it would look dead.
  if (session_ && !blocked_ && now >= session_->next_wake()) {
    advance_session(monotonic_now());
  }
}

void AmqpTransport::poll(Micros wait_max, std::vector<TransportEvent>& events) {
  Time now = monotonic_now();
  const Time until = now + wait_max;
  for (;;) {
    step(now);
    admin_.take_answers(events_);
    if (!events_.empty()) {
      events.insert(events.end(), std::make_move_iterator(events_.begin()),
                    std::make_move_iterator(events_.end()));
      events_.clear();
      return;
    }
    now = monotonic_now();
    if (wake_.take() || now >= until) {
      return;
    }
    sleep(until);
    now = monotonic_now();
  }
}

void AmqpTransport::sleep(Time until) {
  if (!closed_) {
    if (session_) {
      until = blocked_ ? until : std::min(until, session_->next_wake());
    } else if (!connector_.under_way()) {
      until = std::min(until, retry_at_);
    }
    if (connection_) {
      until = connection_->has_input() ? Time{} : std::min(until, connection_->next_deadline());
    }
  }
  std::array<pollfd, 2> entries{};
  entries[0] = {wake_.fd(), POLLIN, 0};
  entries[1] = {-1, 0, 0};  // is left out
  if (connection_) {
    const Readiness wanted = connection_->interest();
    entries[1] = {connection_->fd(), static_cast<short>(POLLIN | (wanted.write ? POLLOUT : 0)), 0};
  } else if (connector_.under_way()) {
    entries[1] = {connector_.fd(), POLLIN, 0};
  }
  const std::int64_t left_us =
      std::clamp<std::int64_t>((until - monotonic_now()).count, 0, 60'000'000);
  const timespec timeout{left_us / 1'000'000, left_us % 1'000'000 * 1'000};
  const int ready = ppoll(entries.data(), entries.size(), &timeout, nullptr);
  if (ready > 0 && (entries[0].revents & POLLIN) != 0) {
    wake_.seen();
  }
}

void AmqpTransport::close(Micros wait_max) {
  const Time until = monotonic_now() + wait_max;
  while (announced_ && (confirms_.open() > 0 || queued_publishes_ > 0) && monotonic_now() < until) {
    step(monotonic_now());
    if (announced_ && (confirms_.open() > 0 || queued_publishes_ > 0)) {
      sleep(until);
    }
  }
  if (announced_) {
    send_queued();  // the acks of what has been settled
  }
  if (connection_) {
    connection_->close(std::clamp(until - monotonic_now(), milliseconds(100), seconds(2)));
  }
  connector_.leave();
  closed_ = true;
  announced_ = true;  // so that whatever is still queued is settled
  lose_connection("closed", monotonic_now());
}

}  // namespace juggler::amqp
