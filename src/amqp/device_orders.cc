#include "amqp/device_orders.h"

#include "amqp/connection.h"
#include "amqp/topology.h"
#include "runtime/topology.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;

Result<std::unique_ptr<Connection>> open(const BrokerUrl& broker) {
  auto connection = Connection::open(broker, "juggler: orders");
  if (!connection) {
    return connection.error();
  }
  if (auto channel = (*connection)->open_channel(kChannel); !channel) {
    return fail(ErrorCode::Unavailable, channel.error().message);
  }
  return connection;
}

}  // namespace

Result<void> tell_device(const BrokerUrl& broker, const std::string& device,
                         const wire::Control& control) {
  auto connection = open(broker);
  if (!connection) {
    return connection.error();
  }
  Connection& link = **connection;
  wire::Envelope message = wire::encode_control(device, control);
  if (device.empty()) {
    message.routing_key = "all";
  }
  if (auto sent = link.send_message(kChannel, message); !sent) {
    return sent.error();
  }
  auto closed = link.close_channel(kChannel);  // its answer proves that we were heard
  link.close(seconds(1));
  return closed ? Result<void>() : fail(ErrorCode::Unavailable, closed.error().message);
}

Result<bool> device_is_there(const BrokerUrl& broker, const std::string& device) {
  auto connection = open(broker);
  if (!connection) {
    return connection.error();
  }
  Connection& link = **connection;
  auto found = inspect_queue(link, kChannel, device_queue(device));
  link.close(seconds(1));
  if (!found && found.error().reply_code == AMQP_NOT_FOUND) {
    return false;
  }
  return found ? Result<bool>(found->consumers > 0)
               : fail(ErrorCode::Unavailable, found.error().message);
}

}  // namespace juggler::amqp
