#include "runtime/loopback.h"

#include <chrono>
#include <utility>

namespace juggler {

void LoopbackTransport::deliver(std::string queue, wire::Envelope envelope, bool redelivered) {
  events_.push_back(TransportDelivery{
      {incarnation_, ++last_tag_}, std::move(queue), redelivered, std::move(envelope)});
}

void LoopbackTransport::deliver_too_large(std::string queue, wire::Envelope envelope) {
  events_.push_back(TransportDelivery{
      {incarnation_, ++last_tag_}, std::move(queue), false, std::move(envelope), true});
}

void LoopbackTransport::connect(std::int64_t epoch) {
  events_.push_back(TransportConnected{++incarnation_, epoch, "loopback-replies", 0});
  events_.push_back(TransportServing{true});
}

void LoopbackTransport::tell_presence(std::string device, bool present) {
  events_.push_back(TransportPresence{std::move(device), present});
}

void LoopbackTransport::disconnect(std::string reason) {
  events_.push_back(TransportDisconnected{std::move(reason)});
}

std::vector<wire::Envelope> LoopbackTransport::take_published() {
  return std::exchange(published_, {});
}
std::vector<DeliveryId> LoopbackTransport::take_acked() { return std::exchange(acked_, {}); }
std::vector<DeliveryId> LoopbackTransport::take_rejected() { return std::exchange(rejected_, {}); }

void LoopbackTransport::settle_as(std::string exchange, PublishEnd end) {
  ends_.emplace_back(std::move(exchange), end);
}

void LoopbackTransport::publish(PublishId id, wire::Envelope message) {
  PublishEnd end = PublishEnd::Confirmed;
  for (const auto& [exchange, wanted] : ends_) {
    if (exchange == message.exchange) {
      end = wanted;
    }
  }
  published_.push_back(std::move(message));
  events_.push_back(TransportSettled{id, end});
}

void LoopbackTransport::reject(DeliveryId delivery, bool /*requeue*/) {
  rejected_.push_back(delivery);
}

void LoopbackTransport::poll(Micros wait_max, std::vector<TransportEvent>& events) {
  {
    std::unique_lock lock(mutex_);
    if (events_.empty()) {
      woken_.wait_for(lock, std::chrono::microseconds(wait_max.count), [this] { return wake_; });
    }
    wake_ = false;
  }
  for (TransportEvent& event : events_) {
    events.push_back(std::move(event));
  }
  events_.clear();
}

void LoopbackTransport::wake() {
  {
    const MutexLock lock(mutex_);
    wake_ = true;
  }
  woken_.notify_one();
}

void LoopbackTransport::close(Micros /*wait_max*/) {}

}  // namespace juggler
