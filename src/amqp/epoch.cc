#include "amqp/epoch.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "amqp/topology.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr const char* kEpochType = "juggler.epoch.v1";
constexpr std::int64_t kEpochMax = std::int64_t{1} << 53U;  // JSON numbers hold it exactly
constexpr int kReadMax = 10'000;

}  // namespace

std::optional<std::int64_t> parse_epoch(const wire::Envelope& message) {
  const std::string& text = *message.body;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && value > 0 && value < kEpochMax ? std::optional(value) : std::nullopt;
}

tl::expected<TakenEpoch, CallFailure> take_epoch(Connection& connection, std::uint16_t channel,
                                                 std::int64_t unix_seconds) {
  std::int64_t highest = 0;
  std::vector<std::uint64_t> read;
  for (int reads = 0; reads < kReadMax; ++reads) {
    amqp_basic_get_t get{};
    get.queue = to_bytes(kEpochQueue);
    auto got = connection.call(channel, AMQP_BASIC_GET_METHOD, get, AMQP_BASIC_GET_OK_METHOD,
                               AMQP_BASIC_GET_EMPTY_METHOD);
    if (!got) {
      return tl::unexpected(got.error());
    }
    if (got->method == AMQP_BASIC_GET_EMPTY_METHOD) {
      break;
    }
    read.push_back(got->message.tag);
    highest = std::max(highest, parse_epoch(got->message.envelope).value_or(0));
  }
  const std::int64_t epoch = std::max(highest + 1, unix_seconds);
  wire::Envelope message;
  message.routing_key = kEpochQueue;
  message.type = kEpochType;
  message.message_id = fmt::format("epoch.{}", epoch);
  message.body = wire::make_body(std::to_string(epoch));
  if (auto sent = connection.send_message(channel, message); !sent) {
    return tl::unexpected(CallFailure{0, sent.error().message});
  }
  auto accepted = connection.await_confirm();
  if (!accepted) {
    return tl::unexpected(accepted.error());
  }
  if (!*accepted) {
    return tl::unexpected(CallFailure{0, "the broker refused the new epoch"});
  }
  // One by one: a `multiple` would also cover results that the lock's subscription has brought.
  for (const std::uint64_t tag : read) {
    amqp_basic_ack_t ack{};
    ack.delivery_tag = tag;
    if (auto sent = connection.send(channel, AMQP_BASIC_ACK_METHOD, ack); !sent) {
      return tl::unexpected(CallFailure{0, sent.error().message});
    }
  }
  return TakenEpoch{epoch, highest};
}

}  // namespace juggler::amqp
