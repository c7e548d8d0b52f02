#include <algorithm>
#include <cstring>

#include "amqp/frames.h"
#include "amqp/properties.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr char kFrameEnd = '\xCE';
constexpr std::size_t kHeadSize = 7;
constexpr std::size_t kMethodRoom = 1024;  // a publish has two short strings and a few bytes

static_assert(kMethodRoom > 2 * 256 + 16);

void put_number(char* at, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) {
    at[i] = static_cast<char>(value >> (8U * (width - 1 - i)) & 0xFFU);
  }
}

void put_head(char* at, unsigned type, std::uint16_t channel, std::size_t payload_size) {
  put_number(at, type, 1);
  put_number(at + 1, channel, 2);
  put_number(at + 3, payload_size, 4);
}

}  // namespace

FrameWriter::FrameWriter() : scratch_(kMethodRoom + kFrameMax) {}

Result<void> FrameWriter::method(OutBuffer& out, std::uint16_t channel, std::uint32_t id,
                                 void* arguments) {
  char* frame = scratch_.data();
  const std::size_t room = frame_max_ - kFrameOverhead - 4;
  const int length = amqp_encode_method(id, arguments, to_bytes({frame + kHeadSize + 4, room}));
  if (length < 0) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("cannot encode method {}.{}: an argument is too long", id >> 16U,
                            id & 0xFFFFU));
  }
  const std::size_t payload = static_cast<std::size_t>(length) + 4;
  put_head(frame, AMQP_FRAME_METHOD, channel, payload);
  put_number(frame + kHeadSize, id, 4);
  frame[kHeadSize + payload] = kFrameEnd;
  out.append(std::string_view(frame, payload + kFrameOverhead));
  return {};
}

Result<void> FrameWriter::message(OutBuffer& out, std::uint16_t channel,
                                  const wire::Envelope& envelope) {
  const std::size_t body_size = envelope.body ? envelope.body->size() : 0;
  // The header is encoded first, behind where the method will be: it is what may be refused.
  char* header = scratch_.data() + kMethodRoom;
  constexpr std::size_t kFixed = 12;  // class, weight, body size
  auto listed = encode_properties(
      envelope, {header + kHeadSize + kFixed, frame_max_ - kFrameOverhead - kFixed});
  if (!listed) {
    return listed.error();
  }
  amqp_basic_publish_t publish{};
  publish.exchange = to_bytes(envelope.exchange);
  publish.routing_key = to_bytes(envelope.routing_key);
  publish.mandatory = envelope.mandatory ? 1 : 0;
  if (auto written = method(out, channel, AMQP_BASIC_PUBLISH_METHOD, &publish); !written) {
    return written;
  }

  put_head(header, AMQP_FRAME_HEADER, channel, kFixed + *listed);
  put_number(header + kHeadSize, AMQP_BASIC_CLASS, 2);
  put_number(header + kHeadSize + 2, 0, 2);
  put_number(header + kHeadSize + 4, body_size, 8);
  header[kHeadSize + kFixed + *listed] = kFrameEnd;
  out.append(std::string_view(header, kFixed + *listed + kFrameOverhead));

  const std::size_t piece_max = frame_max_ - kFrameOverhead;
  for (std::size_t sent = 0; sent < body_size; sent += piece_max) {
    const std::size_t piece = std::min(piece_max, body_size - sent);
    std::array<char, kHeadSize> head{};
    put_head(head.data(), AMQP_FRAME_BODY, channel, piece);
    out.append(std::string_view(head.data(), head.size()));
    out.append(envelope.body, sent, piece);
    out.append(std::string_view(&kFrameEnd, 1));
  }
  return {};
}

void FrameWriter::heartbeat(OutBuffer& out) {
  std::array<char, kFrameOverhead> frame{};
  put_head(frame.data(), AMQP_FRAME_HEARTBEAT, 0, 0);
  frame[kHeadSize] = kFrameEnd;
  out.append(std::string_view(frame.data(), frame.size()));
}

}  // namespace juggler::amqp
