#include "amqp/drain.h"

#include <chrono>
#include <thread>

#include "amqp/connection.h"
#include "amqp/monotonic.h"
#include "amqp/topology.h"
#include "fmt/format.h"
#include "runtime/topology.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
constexpr std::chrono::milliseconds kLookAgain{200};

Error refused(const CallFailure& failure) {
  const bool rights = failure.reply_code == AMQP_ACCESS_REFUSED;
  return fail(ErrorCode::Unavailable,
              failure.message + (rights ? "; the login needs a controller's "
                                          "rights"
                                        : ""));
}

}  // namespace

Result<bool> drain_device(const BrokerUrl& broker, const std::string& device, Micros wait_max) {
  auto connection = Connection::open(broker, "juggler: drain");
  if (!connection) {
    return connection.error();
  }
  Connection& link = **connection;
  if (auto channel = link.open_channel(kChannel); !channel) {
    return refused(channel.error());
  }
  const std::string queue = device_control_queue(device);
  auto found = inspect_queue(link, kChannel, queue);
  if (!found && found.error().reply_code == AMQP_NOT_FOUND) {
    return fail(ErrorCode::NotFound, "there is no device '" + device + "'");
  }
  if (!found) {
    return refused(found.error());
  }
  if (found->consumers == 0) {
    return fail(ErrorCode::NotFound, "the device '" + device + "' is not there now");
  }
  const auto message = wire::encode_control(device, {.kind = wire::ControlKind::Drain});
  if (auto sent = link.send_message(kChannel, message); !sent) {
    return sent.error();
  }
  const Time until = monotonic_now() + wait_max;
  for (;;) {
    found = inspect_queue(link, kChannel, queue);  // its answer also proves that we were heard
    if (!found) {
      return refused(found.error());
    }
    if (found->consumers == 0 || monotonic_now() >= until) {
      link.close(seconds(1));
      return found->consumers == 0;
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

}  // namespace juggler::amqp
