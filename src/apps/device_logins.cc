// `juggler devices enrol | rotate | revoke`: a device's login at the broker, while the fleet runs.

#include <fmt/format.h>

#include <memory>

#include "apps/commands.h"
#include "apps/fleet_admin.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

struct LoginFlags {
  AdminChoice admin;
  std::string name;
  std::string out;  // empty: NAME.broker
};

int exit_status_of(const Error& error) {
  return error.code == ErrorCode::InvalidArgument ? kExitUsage
         : error.code == ErrorCode::NotFound      ? kExitUnreachable
                                                  : kExitFailed;
}

Result<bool> is_known(const FleetAdmin& admin, const std::string& name) {
  const auto known = admin.users.list();
  if (!known) {
    return known.error();
  }
  for (const amqp::KnownUser& user : *known) {
    if (user.name == name && user.role != amqp::UserRole::Device) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("'{}' is no device: it is a {}", name, amqp::to_string(user.role)));
    }
    if (user.name == name) {
      return true;
    }
  }
  return false;
}

// A new login for a device that is to be new, or known.
Result<void> give_login(const FleetAdmin& admin, const LoginFlags& flags, bool known_wanted) {
  const Result<bool> known = is_known(admin, flags.name);
  if (!known) {
    return known.error();
  }
  if (*known != known_wanted) {
    return fail(
        ErrorCode::InvalidArgument,
        *known
            ? fmt::format("'{0}' has a login already: `juggler devices rotate {0}` gives "
                          "it another password",
                          flags.name)
            : fmt::format("'{0}' has no login: `juggler devices enrol {0}` makes one", flags.name));
  }
  const std::string password = amqp::new_password();
  // The file first: a login that nobody knows would be worse than a file that is void.
  const fs::path file = flags.out.empty() ? fs::path(flags.name + ".broker") : fs::path(flags.out);
  if (Result<void> written = write_credential(file, admin.address, flags.name, password);
      !written) {
    return written;
  }
  if (Result<void> put =
          admin.users.put({{flags.name, amqp::UserRole::Device, amqp::password_hash(password)}});
      !put) {
    return put;
  }
  if (*known) {
    if (Result<void> cut = admin.users.cut(flags.name, "its password was changed"); !cut) {
      return cut;
    }
  }
  fmt::print("{}: its login is in {}; on the device: juggler-consumer --broker-file {}\n",
             flags.name, file.string(), file.filename().string());
  return {};
}

int enrol(const FleetAdmin& admin, const LoginFlags& flags) {
  const Result<void> given = give_login(admin, flags, /*known_wanted=*/false);
  return given ? kExitDone : complain(given.error().message, exit_status_of(given.error()));
}

int rotate(const FleetAdmin& admin, const LoginFlags& flags) {
  const Result<void> given = give_login(admin, flags, /*known_wanted=*/true);
  return given ? kExitDone : complain(given.error().message, exit_status_of(given.error()));
}

int revoke(const FleetAdmin& admin, const LoginFlags& flags) {
  const Result<bool> known = is_known(admin, flags.name);
  const Result<void> gone = known ? admin.users.remove(flags.name) : known.error();
  if (!gone) {
    return complain(gone.error().message, gone.error().code == ErrorCode::NotFound
                                              ? kExitUsage
                                              : exit_status_of(gone.error()));
  }
  fmt::print("{}: revoked; its connections are closed, its queues deleted\n", flags.name);
  return kExitDone;
}

using Work = int (*)(const FleetAdmin&, const LoginFlags&);

void add_work(CLI::App& devices, Action& action, const std::string& name, const std::string& help,
              Work work) {
  CLI::App* command = devices.add_subcommand(name, help);
  const auto flags = std::make_shared<LoginFlags>();
  add_admin_flags(*command, flags->admin);
  command->add_option("name", flags->name, "The device")->required()->type_name("NAME");
  if (name != "revoke") {
    command->add_option("--out", flags->out, "File for the login, mode 0600 [NAME.broker]")
        ->type_name("FILE");
  }
  command->footer(
      examples({"juggler devices " + name + " pi5",
                "juggler devices " + name +
                    " pi5 --rabbitmqctl rabbitmqctl --address amqps://broker.lan:5671"}) +
      "\nExit status: 0 done, 1 the broker refused, 2 usage, 3 no broker.");
  command->callback([flags, work, &action] {
    action = [flags, work] {
      if (Result<void> named = amqp::check_device_name(flags->name); !named) {
        return complain(named.error().message, kExitUsage);
      }
      const Result<FleetAdmin> admin = find_admin(flags->admin);
      return admin ? work(*admin, *flags)
                   : complain(admin.error().message, exit_status_of(admin.error()));
    };
  });
}

}  // namespace

void add_device_logins(CLI::App& devices, Action& action) {
  add_work(devices, action, "enrol", "Give a new device a login, while the fleet runs", enrol);
  add_work(devices, action, "rotate", "Give it another password, and end what the old one opened",
           rotate);
  add_work(devices, action, "revoke", "Take its login away, and its queues", revoke);
}

}  // namespace juggler
