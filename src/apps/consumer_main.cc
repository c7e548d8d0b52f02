// juggler-consumer: the program on a device. Wiring only: the flags, the login, and the device
// behind them.

#include <fmt/format.h>

#include "amqp/session.h"
#include "amqp/users.h"
#include "apps/commands.h"
#include "apps/consumer_flags.h"
#include "apps/consumer_run.h"
#include "apps/join_command.h"
#include "apps/label_command.h"
#include "apps/own_login.h"
#include "apps/privileges.h"
#include "apps/version.h"
#include "core/device.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

// `login_file`: the one that this program keeps itself.
int run(CLI::App& app, ConsumerFlags& flags, std::string login_file) {
  if (Result<void> applied = apply_config(app, flags.config); !applied) {
    return complain(applied.error().message, kExitUsage);
  }
  if (Result<void> checked = check_engine(app, flags); !checked) {
    return complain(checked.error().message, kExitUsage);
  }
  if (login_file.empty()) {
    login_file = own_login(flags.broker);
  }
  const Result<std::string> address = find_broker(flags.broker);
  if (!address) {
    return complain(address.error().message, kExitUnreachable);
  }
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*address);
  if (!broker) {
    return complain(broker.error().message, kExitUsage);
  }
  if (flags.id.empty() && amqp::check_device_name(broker->user)) {
    flags.id = broker->user;  // a device's login has its name
  }
  if (flags.id.empty()) {
    return complain("--id is missing: this device's name", kExitUsage);
  }
  if (!valid_device_id(flags.id)) {
    return complain("'" + flags.id +
                        "' is no device name: 1 to 63 lower-case letters, digits, "
                        "hyphens",
                    kExitUsage);
  }
  if (Result<void> log = set_up_log(flags.id, flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  run_unprivileged();
  if (const Result<TwinCount> twins = parse_twin_count(flags.twin); twins && twins->many) {
    return run_twins(flags, *broker, *twins);
  }
  return run_device(flags, std::move(*broker), std::move(login_file));
}

}  // namespace
}  // namespace juggler

int main(int argc, char** argv) {
  using namespace juggler;  // NOLINT(google-build-using-namespace): main has no other names
  forgo_new_privileges();   // of what the other commands start (an external engine), too
  CLI::App app("The program on an edge device: runs inference for a Juggler controller.",
               "juggler-consumer");
  app.set_version_flag("--version", version_text("juggler-consumer"));
  ConsumerFlags flags;
  Action action = [&] { return run(app, flags, ""); };
  declare_consumer_flags(app, flags);
  add_label_command(app, action);
  add_doctor_command(app, action, DoctorOf::Board);
  add_join_command(app, action, {.broker = flags.broker, .id = flags.id, .serve = [&] {
                                   return run(app, flags, flags.broker.broker_file);
                                 }});
  return run_app(app, argc, argv, action);
}
