#include <algorithm>
#include <cstring>

#include "amqp/frames.h"
#include "amqp/properties.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr char kFrameEnd = '\xCE';
constexpr std::size_t kHeadSize = 7;
constexpr std::size_t kBufferSize = kFrameReadMax + kFrameMax / 2;

std::uint64_t get_number(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

Error corrupt(std::string_view what) {
  return fail(ErrorCode::Corrupt, fmt::format("the broker sent {}", what));
}

wire::Envelope address(amqp_bytes_t exchange, amqp_bytes_t routing_key) {
  wire::Envelope envelope;
  envelope.exchange = to_string(exchange);
  envelope.routing_key = to_string(routing_key);
  return envelope;
}

Reply make_reply(std::uint16_t channel, std::uint32_t id, const void* decoded) {
  Reply reply;
  reply.channel = channel;
  reply.method = id;
  if (id == AMQP_QUEUE_DECLARE_OK_METHOD) {
    const auto& ok = *static_cast<const amqp_queue_declare_ok_t*>(decoded);
    reply.queue = to_string(ok.queue);
    reply.messages = ok.message_count;
    reply.consumers = ok.consumer_count;
  } else if (id == AMQP_CONNECTION_START_METHOD) {
    reply.mechanisms = to_string(static_cast<const amqp_connection_start_t*>(decoded)->mechanisms);
  } else if (id == AMQP_CONNECTION_TUNE_METHOD) {
    const auto& tune = *static_cast<const amqp_connection_tune_t*>(decoded);
    reply.heartbeat_s = tune.heartbeat;
    reply.channel_max = tune.channel_max;
    reply.frame_max = tune.frame_max;
  }
  return reply;
}

// Methods that say something by themselves. False where the method is an answer.
bool take_notice(std::uint16_t channel, std::uint32_t id, const void* decoded,
                 std::vector<Incoming>& out) {
  switch (id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(decoded);
      out.push_back(Confirm{ack.delivery_tag, ack.multiple != 0, true});
      return true;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(decoded);
      out.push_back(Confirm{nack.delivery_tag, nack.multiple != 0, false});
      return true;
    }
    case AMQP_BASIC_CANCEL_METHOD:
      out.push_back(
          Cancelled{to_string(static_cast<const amqp_basic_cancel_t*>(decoded)->consumer_tag)});
      return true;
    case AMQP_CONNECTION_BLOCKED_METHOD:
      out.push_back(
          Blocked{true, to_string(static_cast<const amqp_connection_blocked_t*>(decoded)->reason)});
      return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      out.push_back(Blocked{false, {}});
      return true;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(decoded);
      out.push_back(ChannelClosed{channel, close.reply_code, to_string(close.reply_text)});
      return true;
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_connection_close_t*>(decoded);
      out.push_back(ConnectionClosed{close.reply_code, to_string(close.reply_text)});
      return true;
    }
    case AMQP_CHANNEL_FLOW_METHOD: {
      const bool active = static_cast<const amqp_channel_flow_t*>(decoded)->active != 0;
      out.push_back(FlowRequest{channel, active});
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

FrameReader::FrameReader(std::size_t body_max) : body_max_(body_max), buffer_(kBufferSize) {
  init_amqp_pool(&pool_, 4096);
}

FrameReader::~FrameReader() { empty_amqp_pool(&pool_); }

std::span<char> FrameReader::space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (buffer_.size() - end_ < kFrameMax / 2) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(buffer_).subspan(end_);
}

Result<void> FrameReader::decode(std::vector<Incoming>& out) {
  for (;;) {
    const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
    if (bytes.size() < kFrameOverhead) {
      return {};
    }
    if (bytes.starts_with("AMQP")) {
      return corrupt("another protocol version: it does not speak AMQP 0-9-1");
    }
    const std::uint64_t size = get_number(bytes, 3, 4);
    if (size > kFrameReadMax - kFrameOverhead) {
      return corrupt("a frame far larger than agreed, or it does not speak AMQP");
    }
    const std::size_t whole = static_cast<std::size_t>(size) + kFrameOverhead;
    if (bytes.size() < whole) {
      return {};
    }
    if (bytes[whole - 1] != kFrameEnd) {
      return corrupt("a frame without its end mark");
    }
    begin_ += whole;
    auto taken = take_frame(static_cast<unsigned char>(bytes[0]),
                            static_cast<std::uint16_t>(get_number(bytes, 1, 2)),
                            bytes.substr(kHeadSize, static_cast<std::size_t>(size)), out);
    if (!taken) {
      return taken;
    }
  }
}

Result<void> FrameReader::take_frame(unsigned type, std::uint16_t channel, std::string_view payload,
                                     std::vector<Incoming>& out) {
  if (channel > kChannelMax) {
    return corrupt("a frame on a channel that was never opened");
  }
  Content& content = contents_[channel];
  switch (type) {
    case AMQP_FRAME_METHOD:
      return take_method(channel, payload, out);
    case AMQP_FRAME_HEADER:
      return take_header(content, payload, out);
    case AMQP_FRAME_BODY: {
      if (!content.has_header || payload.size() > content.body_left) {
        return corrupt("a body frame where none belongs");
      }
      content.body_left -= payload.size();
      const auto* delivery = std::get_if<Delivery>(&content.target);
      const bool kept = !std::holds_alternative<Returned>(content.target) &&
                        (delivery == nullptr || !delivery->too_large);
      if (kept) {
        content.body.append(payload);
      }
      if (content.body_left == 0) {
        complete(content, out);
      }
      return {};
    }
    case AMQP_FRAME_HEARTBEAT:
      out.push_back(Heartbeat{});
      return {};
    default:
      return corrupt("a frame of an unknown kind");
  }
}

Result<void> FrameReader::take_method(std::uint16_t channel, std::string_view payload,
                                      std::vector<Incoming>& out) {
  if (payload.size() < 4) {
    return corrupt("a method frame without a method");
  }
  const auto id = static_cast<std::uint32_t>(get_number(payload, 0, 4));
  void* decoded = nullptr;
  recycle_amqp_pool(&pool_);
  if (amqp_decode_method(id, &pool_, to_bytes(payload.substr(4)), &decoded) < 0) {
    return corrupt(fmt::format("a method that cannot be decoded ({}.{})", id >> 16U, id & 0xFFFFU));
  }
  Content& content = contents_[channel];
  if (id == AMQP_CHANNEL_CLOSE_METHOD || id == AMQP_CHANNEL_CLOSE_OK_METHOD) {
    content = {};
  }
  if (id == AMQP_BASIC_DELIVER_METHOD) {
    const auto& deliver = *static_cast<const amqp_basic_deliver_t*>(decoded);
    content = {};
    content.target = Delivery{channel,
                              to_string(deliver.consumer_tag),
                              deliver.delivery_tag,
                              deliver.redelivered != 0,
                              false,
                              address(deliver.exchange, deliver.routing_key)};
  } else if (id == AMQP_BASIC_RETURN_METHOD) {
    const auto& returned = *static_cast<const amqp_basic_return_t*>(decoded);
    content = {};
    content.target = Returned{address(returned.exchange, returned.routing_key)};
  } else if (id == AMQP_BASIC_GET_OK_METHOD) {
    const auto& got = *static_cast<const amqp_basic_get_ok_t*>(decoded);
    Reply reply;
    reply.channel = channel;
    reply.method = id;
    reply.message.channel = channel;
    reply.message.tag = got.delivery_tag;
    reply.message.redelivered = got.redelivered != 0;
    content = {};
    content.target = std::move(reply);
  } else if (!take_notice(channel, id, decoded, out)) {
    out.push_back(make_reply(channel, id, decoded));
  }
  return {};
}

Result<void> FrameReader::take_header(Content& content, std::string_view payload,
                                      std::vector<Incoming>& out) {
  constexpr std::size_t kFixed = 12;  // class, weight, body size
  if (payload.size() < kFixed || content.has_header ||
      std::holds_alternative<std::monostate>(content.target)) {
    return corrupt("a content header where none belongs");
  }
  content.has_header = true;
  content.body_left = get_number(payload, 4, 8);
  wire::Envelope* envelope = nullptr;
  if (auto* delivery = std::get_if<Delivery>(&content.target)) {
    envelope = &delivery->envelope;
    delivery->too_large = content.body_left > body_max_;
  } else if (auto* returned = std::get_if<Returned>(&content.target)) {
    envelope = &returned->envelope;
  } else {
    envelope = &std::get<Reply>(content.target).message.envelope;
  }
  // Reserved as far as it is believed: a length alone must not cost memory.
  constexpr std::uint64_t kBelieved = std::uint64_t{1} << 20U;
  if (!std::holds_alternative<Returned>(content.target)) {
    content.body.reserve(static_cast<std::size_t>(std::min(content.body_left, kBelieved)));
  }
  if (auto decoded = decode_properties(payload.substr(kFixed), *envelope); !decoded) {
    return decoded;
  }
  if (content.body_left == 0) {
    complete(content, out);
  }
  return {};
}

void FrameReader::complete(Content& content, std::vector<Incoming>& out) {
  if (auto* delivery = std::get_if<Delivery>(&content.target)) {
    delivery->envelope.body = wire::make_body(std::move(content.body));
    out.push_back(std::move(*delivery));
  } else if (auto* returned = std::get_if<Returned>(&content.target)) {
    out.push_back(std::move(*returned));
  } else {
    auto& reply = std::get<Reply>(content.target);
    reply.message.envelope.body = wire::make_body(std::move(content.body));
    out.push_back(std::move(reply));
  }
  content = {};
}

}  // namespace juggler::amqp
