// `juggler fleet apply FILE`: many devices by one file: logins, labels, groups, wanted models.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/fleet_admin.h"
#include "apps/fleet_apply.h"
#include "apps/json_output.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

struct ApplyFlags {
  BrokerChoice broker;
  AdminChoice admin;
  std::string file;
  std::string credentials = "credentials";
  bool dry_run = false;
  bool no_enrol = false;
  bool json = false;
};

// Those who have no login yet.
Result<std::vector<std::string>> to_enrol(const FleetAdmin& admin, const FleetFile& file) {
  const auto known = admin.users.list();
  if (!known) {
    return known.error();
  }
  std::set<std::string> names;
  std::set<std::string> others;
  for (const amqp::KnownUser& user : *known) {
    (user.role == amqp::UserRole::Device ? names : others).insert(user.name);
  }
  std::vector<std::string> missing;
  for (const FleetFile::Device& device : file.devices) {
    if (!device.enrol || names.contains(device.note.device)) {
      continue;
    }
    if (others.contains(device.note.device)) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("'{}' is a login of somebody who is no device: call the device "
                              "something else",
                              device.note.device));
    }
    if (Result<void> named = amqp::check_device_name(device.note.device); !named) {
      return named.error();
    }
    missing.push_back(device.note.device);
  }
  return missing;
}

// The files first: a login that nobody knows would be worse than a file that is void.
Result<void> enrol(const FleetAdmin& admin, const std::vector<std::string>& names,
                   const fs::path& folder) {
  std::vector<amqp::User> users;
  for (const std::string& name : names) {
    const std::string password = amqp::new_password();
    if (Result<void> written = write_credential(folder / name, admin.address, name, password);
        !written) {
      return written;
    }
    users.push_back({name, amqp::UserRole::Device, amqp::password_hash(password)});
  }
  return users.empty() ? Result<void>() : admin.users.put(users);
}

int tell(const ApplyFlags& flags, const std::vector<std::string>& changes) {
  if (flags.json) {
    fmt::print("{}\n", nlohmann::json({{"changes", changes}, {"dry_run", flags.dry_run}})
                           .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kExitDone;
  }
  for (const std::string& change : changes) {
    fmt::print("{}{}\n", flags.dry_run ? "would be: " : "", change);
  }
  if (changes.empty()) {
    fmt::print("nothing to do: the fleet is as {} says\n", flags.file);
  }
  return kExitDone;
}

int apply(const ApplyFlags& flags) {
  (void)set_up_log("juggler", "off");
  const Result<FleetFile> file = load_fleet_file(flags.file);
  if (!file) {
    return complain(file.error().message, kExitUsage);
  }
  const Result<amqp::BrokerUrl> broker = find_controller_login(flags.broker);
  if (!broker) {
    return complain_of(broker.error());
  }
  std::vector<std::string> changes;
  std::vector<std::string> names;
  std::optional<FleetAdmin> admin;
  const bool enrols = !flags.no_enrol && std::any_of(file->devices.begin(), file->devices.end(),
                                                     [](const auto& one) { return one.enrol; });
  if (enrols) {
    Result<FleetAdmin> found = find_admin(flags.admin);
    if (!found) {
      return complain(
          found.error().message + "; or leave logins out: --no-enrol",
          found.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitUnreachable);
    }
    admin.emplace(std::move(*found));
    Result<std::vector<std::string>> missing = to_enrol(*admin, *file);
    if (!missing) {
      return complain_of(missing.error());
    }
    names = std::move(*missing);
  }
  for (const std::string& name : names) {
    changes.push_back(
        fmt::format("{}: a login, in {}", name, (fs::path(flags.credentials) / name).string()));
  }
  if (flags.dry_run) {
    Result<FleetRecord> record = amqp::read_record(*broker);
    if (!record) {
      return complain_of(record.error());
    }
    const std::vector<std::string> more = apply_to(*record, *file);
    changes.insert(changes.end(), more.begin(), more.end());
    return tell(flags, changes);
  }
  if (admin.has_value()) {
    if (Result<void> enrolled = enrol(*admin, names, flags.credentials); !enrolled) {
      return complain_of(enrolled.error());
    }
  }
  std::vector<std::string> more;
  const Result<FleetRecord> kept = amqp::edit_record(*broker, [&](FleetRecord& record) {
    more = apply_to(record, *file);
    return Result<void>();
  });
  if (!kept) {
    return complain_of(kept.error());
  }
  if (!more.empty()) {
    (void)amqp::nudge_devices(*broker);  // else they hear of it within a minute
  }
  changes.insert(changes.end(), more.begin(), more.end());
  return tell(flags, changes);
}

}  // namespace

void add_fleet_command(CLI::App& app, Action& action) {
  CLI::App* fleet = app.add_subcommand("fleet", "Many devices by one file");
  fleet->require_subcommand(1);
  CLI::App* command = fleet->add_subcommand(
      "apply", "Bring logins, labels, groups and wanted models to what a file says");
  const auto flags = std::make_shared<ApplyFlags>();
  command->add_option("file", flags->file, "The fleet, in TOML (docs/fleet.md)")
      ->required()
      ->type_name("FILE");
  command->add_flag("--dry-run", flags->dry_run, "Say what would change, and change nothing");
  command->add_flag("--no-enrol", flags->no_enrol, "Make no logins");
  command
      ->add_option("--credentials", flags->credentials, "Folder for the logins that are made, 0600")
      ->capture_default_str()
      ->type_name("DIR");
  command->add_flag("--json", flags->json, "The changes as JSON");
  add_admin_flags(*command, flags->admin);
  refuse_password(*command
                       ->add_option("--broker", flags->broker.broker,
                                    "Of another broker than the home's: its address")
                       ->type_name("URL"));
  command
      ->add_option("--broker-file", flags->broker.broker_file,
                   "The controller's login there: a file whose first line is the address")
      ->type_name("FILE");
  command->footer(
      examples({"juggler fleet apply fleet.toml --dry-run", "juggler fleet apply fleet.toml",
                "juggler fleet apply fleet.toml --broker-file controller.url "
                "--rabbitmqctl rabbitmqctl --address amqps://broker.lan:5671/juggler"}) +
      "\nTwice the same file changes nothing the second time. Exit status: 0 done, 1 the "
      "broker refused, 2 usage, 3 no broker.");
  command->callback([flags, &action] {
    action = [flags] {
      flags->broker.home = flags->admin.home;
      return apply(*flags);
    };
  });
}

}  // namespace juggler
