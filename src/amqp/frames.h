#pragma once
// Frames, both ways: bytes from the socket into messages and replies, methods and messages into
// bytes for it. No socket and no state of a session here.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "amqp/library.h"
#include "amqp/out_buffer.h"
#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::amqp {

inline constexpr std::size_t kFrameMax = 131'072;  // agreed on, and what we send at most
// What is read at most. To the headers of a message that it has taken the broker adds its own
// (x-death with all routing keys once more, x-delivery-count), and sends them whether they fit or
// not: were that refused, one message of a stranger would end the connection of each that reads it.
inline constexpr std::size_t kFrameReadMax = kFrameMax * 5 / 2;
inline constexpr std::size_t kFrameOverhead = 8;  // 7 bytes before the payload, 1 after
inline constexpr std::uint16_t kChannelMax = 2;

// What the broker said, decoded and copied out of its frames.
struct Delivery {
  std::uint16_t channel = 0;
  std::string consumer;
  std::uint64_t tag = 0;
  bool redelivered = false;
  bool too_large = false;  // its body was skipped
  wire::Envelope envelope;
};
struct Returned {
  wire::Envelope envelope;  // without its body
};
struct Confirm {
  std::uint64_t tag = 0;
  bool multiple = false;
  bool accepted = false;
};
struct Cancelled {
  std::string consumer;
};
struct Blocked {
  bool blocked = false;
  std::string reason;
};
struct ChannelClosed {
  std::uint16_t channel = 0;
  int code = 0;
  std::string text;
};
struct ConnectionClosed {
  int code = 0;
  std::string text;
};
struct FlowRequest {
  std::uint16_t channel = 0;
  bool active = true;
};
// The answer to a method that waits for one. Only the fields of its kind are set.
struct Reply {
  std::uint16_t channel = 0;
  std::uint32_t method = 0;
  std::string queue;
  std::uint32_t messages = 0;
  std::uint32_t consumers = 0;
  std::string mechanisms;
  std::uint16_t heartbeat_s = 0;
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  Delivery message;  // of get-ok
};
struct Heartbeat {};

using Incoming = std::variant<Delivery, Returned, Confirm, Cancelled, Blocked, ChannelClosed,
                              ConnectionClosed, FlowRequest, Reply, Heartbeat>;

// Bytes to Incoming.
class FrameReader {
 public:
  explicit FrameReader(std::size_t body_max);
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;
  ~FrameReader();

  // Where the next bytes go, and how many went there.
  std::span<char> space();
  void filled(std::size_t count) { end_ += count; }

  // Decodes every complete frame.
  // errors  Corrupt: the stream is lost, the connection must be closed.
  Result<void> decode(std::vector<Incoming>& out);

 private:
  // A message whose header or body is still to come.
  struct Content {
    std::variant<std::monostate, Delivery, Returned, Reply> target;
    bool has_header = false;
    std::uint64_t body_left = 0;
    std::string body;
  };

  Result<void> take_frame(unsigned type, std::uint16_t channel, std::string_view payload,
                          std::vector<Incoming>& out);
  Result<void> take_method(std::uint16_t channel, std::string_view payload,
                           std::vector<Incoming>& out);
  Result<void> take_header(Content& content, std::string_view payload, std::vector<Incoming>& out);
  static void complete(Content& content, std::vector<Incoming>& out);

  std::size_t body_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  amqp_pool_t pool_{};
  std::array<Content, kChannelMax + 1> contents_;
};

// Methods and messages to bytes.
class FrameWriter {
 public:
  FrameWriter();
  void limit_frames(std::size_t frame_max) { frame_max_ = frame_max; }

  // errors  InvalidArgument: an argument is longer than AMQP allows.
  Result<void> method(OutBuffer& out, std::uint16_t channel, std::uint32_t id, void* arguments);
  // The three kinds of frames of a message. Nothing is written on an error.
  Result<void> message(OutBuffer& out, std::uint16_t channel, const wire::Envelope& envelope);
  static void heartbeat(OutBuffer& out);

 private:
  std::vector<char> scratch_;
  std::size_t frame_max_ = kFrameMax;
};

}  // namespace juggler::amqp
