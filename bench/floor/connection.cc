// The measured path: frames in and out, confirms, acknowledgements. Set-up is in
// connection_setup.cc; what the messages mean, in fleet.cc and client.cc.

#include "connection.h"

#include <amqp_framing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace juggler_bench {
namespace {

constexpr std::size_t kFrameOverhead = 8;  // 7 bytes before the payload, 1 after.
constexpr std::size_t kMethodMax = 4096;   // No method or header of ours is larger.
constexpr std::uint8_t kFrameEnd = 0xCE;

std::uint64_t read_be(const std::uint8_t* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value = value << 8 | at[i];
  }
  return value;
}

void write_be(std::uint8_t* at, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) {
    at[i] = static_cast<std::uint8_t>(value & 0xFF);
    value >>= 8;
  }
}

void assign(std::string& to, bool present, amqp_bytes_t from) {
  to.assign(present ? static_cast<const char*>(from.bytes) : "", present ? from.len : 0);
}

}  // namespace

void Connection::begin_frame(std::uint8_t type) {
  frame_start_ = out_.size();
  out_.resize(frame_start_ + 7 + kMethodMax);
  out_[frame_start_] = type;
  write_be(&out_[frame_start_ + 1], kChannel, 2);
}

void Connection::end_frame() {
  write_be(&out_[frame_start_ + 3], out_.size() - frame_start_ - 7, 4);
  out_.push_back(kFrameEnd);
}

void Connection::append_method(amqp_method_number_t method, void* decoded) {
  begin_frame(AMQP_FRAME_METHOD);
  std::uint8_t* payload = &out_[frame_start_ + 7];
  write_be(payload, method, 4);
  const int size = amqp_encode_method(method, decoded, {kMethodMax - 4, payload + 4});
  if (size < 0) {
    fail(std::string("encode method: ") + amqp_error_string2(size));
  }
  out_.resize(frame_start_ + 7 + 4 + static_cast<std::size_t>(size));
  end_frame();
}

void Connection::append_header(const Message& message) {
  amqp_basic_properties_t properties{};
  const auto set = [&](amqp_flags_t flag, amqp_bytes_t& field, std::string_view text) {
    if (!text.empty()) {
      properties._flags |= flag;
      field = amqp_view(text);
    }
  };
  set(AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type, message.content_type);
  set(AMQP_BASIC_TYPE_FLAG, properties.type, message.type);
  set(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id, message.message_id);
  set(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id, message.correlation_id);
  set(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to, message.reply_to);
  properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  if (message.headers != nullptr) {
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = *message.headers;
  }
  begin_frame(AMQP_FRAME_HEADER);
  std::uint8_t* payload = &out_[frame_start_ + 7];
  write_be(payload, AMQP_BASIC_CLASS, 2);
  write_be(payload + 2, 0, 2);
  write_be(payload + 4, message.body.size(), 8);
  const int size =
      amqp_encode_properties(AMQP_BASIC_CLASS, &properties, {kMethodMax - 12, payload + 12});
  if (size < 0) {
    fail(std::string("encode properties: ") + amqp_error_string2(size));
  }
  out_.resize(frame_start_ + 7 + 12 + static_cast<std::size_t>(size));
  end_frame();
}

void Connection::append_body(Bytes body) {
  const std::size_t chunk_max = frame_max_ - kFrameOverhead;
  while (!body.empty()) {
    const Bytes chunk = body.first(std::min(chunk_max, body.size()));
    body = body.subspan(chunk.size());
    std::uint8_t head[7] = {AMQP_FRAME_BODY};
    write_be(head + 1, kChannel, 2);
    write_be(head + 3, chunk.size(), 4);
    out_.insert(out_.end(), head, head + sizeof head);
    out_.insert(out_.end(), chunk.begin(), chunk.end());
    out_.push_back(kFrameEnd);
  }
}

std::uint64_t Connection::publish(const Message& message) {
  amqp_basic_publish_t method{};
  method.exchange = amqp_view(message.exchange);
  method.routing_key = amqp_view(message.routing_key);
  method.mandatory = 1;
  append_method(AMQP_BASIC_PUBLISH_METHOD, &method);
  append_header(message);
  append_body(message.body);
  unconfirmed_.push_back(false);
  return ++sequence_;
}

void Connection::ack_up_to(std::uint64_t tag) {
  amqp_basic_ack_t method{tag, /*multiple=*/1};
  append_method(AMQP_BASIC_ACK_METHOD, &method);
}

bool Connection::flush() {
  while (out_written_ < out_.size()) {
    const ssize_t sent = ::send(socket_, &out_[out_written_], out_.size() - out_written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EAGAIN) {
        return false;
      }
      fail(std::string("send: ") + std::strerror(errno));
    }
    out_written_ += static_cast<std::size_t>(sent);
  }
  out_.clear();  // Keeps its memory.
  out_written_ = 0;
  return true;
}

void Connection::receive() {
  if (in_begin_ > 0) {
    std::memmove(in_.data(), &in_[in_begin_], in_end_ - in_begin_);
    in_end_ -= in_begin_;
    in_begin_ = 0;
  }
  const ssize_t got = ::recv(socket_, &in_[in_end_], in_.size() - in_end_, MSG_DONTWAIT);
  if (got == 0) {
    fail("the broker closed the connection");
  }
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      return;
    }
    fail(std::string("recv: ") + std::strerror(errno));
  }
  in_end_ += static_cast<std::size_t>(got);
}

void Connection::turn(Handler& handler, int timeout_ms) {
  const bool written = flush();
  pollfd waiting{socket_, static_cast<short>(written ? POLLIN : POLLIN | POLLOUT), 0};
  const int ready_count = ::poll(&waiting, 1, timeout_ms);
  if (ready_count < 0 && errno != EINTR) {
    fail(std::string("poll: ") + std::strerror(errno));
  }
  if (ready_count > 0 && (waiting.revents & ~POLLOUT) != 0) {
    receive();
    parse(handler);
  }
}

void Connection::parse(Handler& handler) {
  while (in_end_ - in_begin_ >= kFrameOverhead) {
    const std::uint8_t* frame = &in_[in_begin_];
    const std::size_t size = read_be(frame + 3, 4);
    if (size > frame_max_) {
      fail("a frame larger than agreed");
    }
    if (in_end_ - in_begin_ < size + kFrameOverhead) {
      return;
    }
    const Bytes payload{frame + 7, size};
    in_begin_ += size + kFrameOverhead;
    switch (frame[0]) {
      case AMQP_FRAME_METHOD:
        on_method(handler, payload);
        break;
      case AMQP_FRAME_HEADER:
        on_header(handler, payload);
        break;
      case AMQP_FRAME_BODY:
        on_body(handler, payload);
        break;
      default:
        break;  // A heartbeat.
    }
  }
}

void Connection::on_method(Handler& handler, Bytes payload) {
  const auto id = static_cast<amqp_method_number_t>(read_be(payload.data(), 4));
  void* decoded = nullptr;
  recycle_amqp_pool(&pool_);
  const int status = amqp_decode_method(
      id, &pool_, {payload.size() - 4, const_cast<std::uint8_t*>(payload.data() + 4)}, &decoded);
  if (status < 0) {
    fail(std::string("decode method: ") + amqp_error_string2(status));
  }
  switch (id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto* deliver = static_cast<const amqp_basic_deliver_t*>(decoded);
      delivery_.tag = deliver->delivery_tag;
      delivery_.consumer = *static_cast<const char*>(deliver->consumer_tag.bytes);
      delivering_ = true;
      if (deliver->redelivered != 0) {
        fail("a redelivered message: something was lost on the way");
      }
      break;
    }
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<const amqp_basic_ack_t*>(decoded);
      on_settled(handler, ack->delivery_tag, ack->multiple != 0);
      break;
    }
    case AMQP_BASIC_CONSUME_OK_METHOD:
      ++consumers_;
      break;
    case AMQP_BASIC_QOS_OK_METHOD:
      break;
    default: {  // Return, nack, cancel, close: none of them belongs into a run that counts.
      std::string text = std::string("the broker sent ") + amqp_method_name(id);
      if (id == AMQP_BASIC_RETURN_METHOD) {
        const auto* back = static_cast<const amqp_basic_return_t*>(decoded);
        text.append(" ").append(static_cast<const char*>(back->reply_text.bytes),
                                back->reply_text.len);
      } else if (id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto* close = static_cast<const amqp_channel_close_t*>(decoded);
        text.append(" ").append(static_cast<const char*>(close->reply_text.bytes),
                                close->reply_text.len);
      }
      fail(text);
    }
  }
}

void Connection::on_header(Handler& handler, Bytes payload) {
  void* decoded = nullptr;
  recycle_amqp_pool(&pool_);
  const int status = amqp_decode_properties(
      AMQP_BASIC_CLASS, &pool_,
      {payload.size() - 12, const_cast<std::uint8_t*>(payload.data() + 12)}, &decoded);
  if (status < 0 || !delivering_) {
    fail("a header that fits no delivery");
  }
  const auto* properties = static_cast<const amqp_basic_properties_t*>(decoded);
  const auto has = [&](amqp_flags_t flag) { return (properties->_flags & flag) != 0; };
  assign(delivery_.message_id, has(AMQP_BASIC_MESSAGE_ID_FLAG), properties->message_id);
  assign(delivery_.correlation_id, has(AMQP_BASIC_CORRELATION_ID_FLAG), properties->correlation_id);
  assign(delivery_.reply_to, has(AMQP_BASIC_REPLY_TO_FLAG), properties->reply_to);
  body_size_ = read_be(payload.data() + 4, 8);
  body_.clear();
  if (body_size_ == 0) {
    on_body(handler, {});
  }
}

void Connection::on_body(Handler& handler, Bytes payload) {
  if (body_.empty() && payload.size() == body_size_) {
    delivery_.body = payload;
  } else {
    body_.insert(body_.end(), payload.begin(), payload.end());
    if (body_.size() < body_size_) {
      return;
    }
    delivery_.body = body_;
  }
  delivering_ = false;
  handler.on_delivery(delivery_);
}

void Connection::on_settled(Handler& handler, std::uint64_t tag, bool multiple) {
  // Confirms are coalesced (`multiple`) and may overtake each other.
  const std::uint64_t oldest = sequence_ - unconfirmed_.size() + 1;
  for (std::uint64_t sequence = multiple ? oldest : tag; sequence <= tag; ++sequence) {
    if (!unconfirmed_[sequence - oldest]) {
      unconfirmed_[sequence - oldest] = true;
      handler.on_confirmed(sequence);
    }
  }
  while (!unconfirmed_.empty() && unconfirmed_.front()) {
    unconfirmed_.pop_front();
  }
}

void Acks::done(std::uint64_t tag) {
  if (tag - first_ >= done_.size()) {
    done_.resize(tag - first_ + 1, false);
  }
  done_[tag - first_] = true;
}

void Acks::send(Connection& connection) {
  const std::uint64_t before = first_;
  while (!done_.empty() && done_.front()) {
    done_.pop_front();
    ++first_;
  }
  if (first_ != before) {
    connection.ack_up_to(first_ - 1);
  }
}

}  // namespace juggler_bench
