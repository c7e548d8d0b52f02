#pragma once
// What travels between a client of the simulated broker and the broker, either way. Messages share
// their content: a message in three queues is one envelope.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/units.h"
#include "wire/envelope.h"

namespace juggler::sim {

// One message's content, counted by those who hold it. One thread runs a simulation.
class Content {
 public:
  Content() = default;
  explicit Content(wire::Envelope envelope) : shared_(new Shared{std::move(envelope), 1}) {}
  Content(const Content& other) : shared_(other.shared_) {
    if (shared_ != nullptr) {
      shared_->holders += 1;
    }
  }
  Content(Content&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  Content& operator=(Content other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Content() { release(); }

  const wire::Envelope& envelope() const { return shared_->envelope; }
  explicit operator bool() const { return shared_ != nullptr; }

  // The envelope for somebody who keeps it: moved where nobody else needs it.
  wire::Envelope take() && {
    Content self = std::move(*this);
    return self.shared_->holders == 1 ? std::move(self.shared_->envelope) : self.shared_->envelope;
  }

 private:
  struct Shared {
    wire::Envelope envelope;
    int holders = 0;
  };
  void release() {
    if (shared_ != nullptr && --shared_->holders == 0) {
      delete shared_;
    }
  }

  Shared* shared_ = nullptr;
};

enum class FrameKind : std::uint8_t {
  // To the broker.
  Open,     // login: the connection exists from here on
  Step,     // a step of the session: see Step
  Publish,  // number: its sequence number in the session
  Settle,   // number: the delivery's tag; flag: Settling; multiple: all up to it
  Goodbye,  // an orderly end, or the last bytes of a process that died

  // From the broker.
  Answer,   // to Open or Step: number, flag and text as the step says
  Deliver,  // number: its tag; index: the subscription; flag: redelivered
  Return,   // number: the publish that no queue takes; its confirm follows
  Confirm,  // number: up to this publish if multiple; flag: accepted
  Blocked,  // flag: whether the broker has stopped reading; text: why
  Closed,   // the connection has ended; text: why
};

enum class Settling : std::uint8_t { Ack, Reject, Requeue };

struct Frame {
  FrameKind kind = FrameKind::Open;
  std::uint8_t flag = 0;
  bool multiple = false;
  std::uint16_t index = 0;
  std::uint32_t size = 0;        // bytes on the wire
  std::uint64_t connection = 0;  // which of the link's connections it belongs to
  std::uint64_t number = 0;
  Content content{};
  std::unique_ptr<std::string> text{};
};

// Bytes of AMQP around a message and for everything else; TCP and IP headers included.
inline constexpr std::uint32_t kFrameBytes = 120;

inline std::uint32_t wire_size(const wire::Envelope& envelope) {
  const std::size_t body = envelope.body == nullptr ? 0 : envelope.body->size();
  std::size_t names = envelope.message_id.size() + envelope.routing_key.size();
  names += envelope.headers.size() * 32;
  return static_cast<std::uint32_t>(body + names) + 2 * kFrameBytes;
}

}  // namespace juggler::sim
