#pragma once
// A transport whose other end is in the same process: what is published can be taken, what is
// delivered arrives, and every publish is confirmed at once. For benchmarks of one daemon without a
// broker, and for tests of the shells.

#include <condition_variable>
#include <string>
#include <utility>
#include <vector>

#include "runtime/mutex.h"
#include "runtime/transport.h"

namespace juggler {

class LoopbackTransport final : public Transport {
 public:
  // The other end. thread: the owner's.
  void deliver(std::string queue, wire::Envelope envelope, bool redelivered = false);
  void deliver_too_large(std::string queue, wire::Envelope envelope);
  void connect(std::int64_t epoch);
  void disconnect(std::string reason);
  std::vector<wire::Envelope> take_published();
  std::vector<DeliveryId> take_acked();
  std::vector<DeliveryId> take_rejected();
  // How publishes to this exchange end from now on, instead of Confirmed.
  void settle_as(std::string exchange, PublishEnd end);

  void publish(PublishId id, wire::Envelope message) override;
  void ack(DeliveryId delivery) override { acked_.push_back(delivery); }
  void reject(DeliveryId delivery, bool requeue) override;
  void enrol(const std::string& device) override { enrolled_.push_back(device); }
  void ask_presence(const std::string& device) override { asked_.push_back(device); }
  std::vector<std::string> take_enrolled() { return std::exchange(enrolled_, {}); }
  std::vector<std::string> take_asked() { return std::exchange(asked_, {}); }
  void tell_presence(std::string device, bool present);
  void poll(Micros wait_max, std::vector<TransportEvent>& events) override;
  void wake() override;
  void close(Micros wait_max) override;

 private:
  std::vector<TransportEvent> events_;
  std::vector<wire::Envelope> published_;
  std::vector<DeliveryId> acked_;
  std::vector<DeliveryId> rejected_;
  std::vector<std::string> enrolled_;
  std::vector<std::string> asked_;
  std::vector<std::pair<std::string, PublishEnd>> ends_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t last_tag_ = 0;

  Mutex mutex_;
  std::condition_variable_any woken_;
  bool wake_ GUARDED_BY(mutex_) = false;
};

}  // namespace juggler
