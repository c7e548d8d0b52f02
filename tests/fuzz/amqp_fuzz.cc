// Fuzzes what a broker, and through it a stranger, may send: frames in pieces of any size, and the
// properties of a message, which must encode to the same again.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "amqp/frames.h"
#include "amqp/properties.h"
#include "core/check.h"

namespace juggler::amqp {
namespace {

constexpr std::size_t kBodyMax = 64 << 10;

// In pieces of that many bytes, as sockets give them.
void read_frames(std::string_view bytes, std::size_t piece) {
  FrameReader reader(kBodyMax);
  std::vector<Incoming> incoming;
  while (!bytes.empty()) {
    const std::span<char> space = reader.space();
    const std::size_t count = std::min({space.size(), bytes.size(), piece});
    JUGGLER_CHECK(count > 0, "no room for the next bytes");
    std::copy_n(bytes.data(), count, space.data());
    reader.filled(count);
    bytes.remove_prefix(count);
    if (const Result<void> decoded = reader.decode(incoming); !decoded) {
      JUGGLER_CHECK(!decoded.error().message.empty(), "an error without a message");
      return;
    }
  }
  for (const Incoming& one : incoming) {
    if (const auto* delivery = std::get_if<Delivery>(&one)) {
      JUGGLER_CHECK(
          delivery->envelope.body == nullptr || delivery->envelope.body->size() <= kBodyMax,
          "a body above its bound");
    }
  }
}

// Bit by bit: a number that is none is not equal to itself.
bool same(const wire::HeaderValue& a, const wire::HeaderValue& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  return x != nullptr && y != nullptr
             ? std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(*y)
             : a == b;
}

bool same(const wire::Headers& a, const wire::Headers& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first && same(one.second, other.second);
  });
}

void read_properties(std::string_view list) {
  wire::Envelope envelope;
  if (!decode_properties(list, envelope)) {
    return;
  }
  std::array<char, kFrameMax> bytes{};
  const Result<std::size_t> length = encode_properties(envelope, bytes);
  if (!length) {
    return;  // what only others send: longer than we may
  }
  wire::Envelope again;
  JUGGLER_CHECK(decode_properties({bytes.data(), *length}, again).has_value(),
                "encoded what does not decode");
  JUGGLER_CHECK(again.message_id == envelope.message_id && again.user_id == envelope.user_id &&
                    again.reply_to == envelope.reply_to && same(again.headers, envelope.headers),
                "encoded something else");
}

}  // namespace
}  // namespace juggler::amqp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  juggler::amqp::read_frames(bytes, std::size_t{data[0]} + 1);
  juggler::amqp::read_properties(bytes);
  return 0;
}
