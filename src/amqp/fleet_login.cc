#include "amqp/fleet_login.h"

#include "amqp/topology.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
constexpr std::uint16_t kSideChannel = 2;

tl::expected<void, CallFailure> try_everything(Connection& connection) {
  if (auto opened = connection.open_channel(kChannel); !opened) {
    return tl::unexpected(opened.error());
  }
  const auto kind = find_queue_kind(connection, kSideChannel);
  if (!kind) {
    return tl::unexpected(kind.error());
  }
  if (auto declared = declare(connection, kChannel, fleet_topology(*kind)); !declared) {
    return declared;
  }
  auto replies =
      declare_queue(connection, kChannel, {.name = "", .arguments = {}, .exclusive = true});
  if (!replies) {
    return tl::unexpected(replies.error());
  }
  amqp_basic_consume_t consume{};
  consume.queue = to_bytes(replies->queue);
  consume.no_ack = 1;
  consume.exclusive = 1;
  auto consumed =
      connection.call(kChannel, AMQP_BASIC_CONSUME_METHOD, consume, AMQP_BASIC_CONSUME_OK_METHOD);
  if (!consumed) {
    return tl::unexpected(CallFailure{
        consumed.error().reply_code,
        fmt::format("cannot consume a queue for replies: {}", consumed.error().message)});
  }
  return {};
}

}  // namespace

Result<void> check_fleet_login(Connection& connection) {
  const auto tried = try_everything(connection);
  if (tried) {
    (void)connection.close_channel(kChannel);
    return {};
  }
  const CallFailure& failure = tried.error();
  if (failure.reply_code != AMQP_ACCESS_REFUSED) {
    return fail(ErrorCode::Unavailable, failure.message + failure.advice);
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("{}. This login would be controller, devices and client at once, and "
                          "needs {}",
                          failure.message, kFleetLoginNeeds));
}

}  // namespace juggler::amqp
