// `juggler devices drain NAME`: a device finishes what it has, or hands it back, and leaves.

#include <fmt/format.h>

#include <memory>

#include "amqp/drain.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/quantities.h"
#include "core/device.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

// A device gives up draining after a minute.
constexpr Micros kWaitDefault = seconds(65);

struct DrainFlags {
  BrokerChoice broker;
  std::string device;
  std::optional<Micros> wait;
};

int drain(const DrainFlags& flags) {
  (void)set_up_log("juggler", "off");  // what fails is said once, here
  if (!valid_device_id(flags.device)) {
    return complain("'" + flags.device + "' cannot name a device (see juggler devices)",
                    kExitUsage);
  }
  const Result<amqp::BrokerUrl> broker = find_controller_login(flags.broker);
  if (!broker) {
    return complain(broker.error().message, kExitUnreachable);
  }
  const Result<bool> left =
      amqp::drain_device(*broker, flags.device, flags.wait.value_or(kWaitDefault));
  if (!left) {
    return complain(left.error().message,
                    left.error().code == ErrorCode::NotFound ? kExitFailed : kExitUnreachable);
  }
  fmt::print("{} {}\n", flags.device,
             *left ? "has left: everything it had is answered or handed back"
                   : "is draining: it takes nothing new");
  return *left || flags.wait == Micros{} ? kExitDone : kExitFailed;
}

}  // namespace

void add_device_drain(CLI::App& devices, Action& action) {
  CLI::App* command = devices.add_subcommand(
      "drain", "Let a device finish what it has, take nothing new, and leave");
  auto flags = std::make_shared<DrainFlags>();
  command->add_option("device", flags->device, "Its name (see juggler devices)")
      ->required()
      ->type_name("NAME");
  add_broker_flags(*command, flags->broker);
  add_duration(*command, "--wait", flags->wait, "Until it has left; 0s: only ask it [65s]");
  command->footer(examples({"juggler devices drain pi5",
                            "juggler devices drain pi5 --wait 0s --broker-file controller.url"}) +
                  "\nThe login needs a controller's rights; that of this home's private broker is "
                  "found by itself.\nExit status: 0 it has left, 1 it has not, or is not there, "
                  "2 usage, 3 no broker or not the rights.");
  command->callback([flags, &action] { action = [flags] { return drain(*flags); }; });
}

}  // namespace juggler
