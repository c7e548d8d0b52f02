// `juggler broker provision`: what a broker of one's own has to know of Juggler before the first
// program connects: users with their permissions, exchanges, queues, policies. `juggler broker
// mend`: what a RabbitMQ that was killed needs before it starts again.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "amqp/definitions.h"
#include "amqp/message_store.h"
#include "amqp/node_files.h"
#include "apps/commands.h"
#include "apps/fleet_admin.h"
#include "runtime/topology.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

struct ProvisionFlags {
  std::string vhost = amqp::kVhost;
  std::string address;
  std::string out = "juggler-broker";
  std::string rabbitmqctl;
  std::vector<std::string> devices;
  std::vector<std::string> submitters{amqp::kSubmitterUser};
  std::string queues = "classic";
};

struct Login {
  amqp::User user;
  std::string password;
  bool kept = false;  // the password of an earlier call
};

Result<std::vector<Login>> logins_of(const ProvisionFlags& flags) {
  std::vector<Login> logins{{{amqp::kControllerUser, amqp::UserRole::Controller, ""}, ""}};
  for (const std::string& name : flags.submitters) {
    if (Result<void> checked = amqp::check_submitter_name(name); !checked) {
      return checked.error();
    }
    logins.push_back({{name, amqp::UserRole::Submitter, ""}, ""});
  }
  for (const std::string& name : flags.devices) {
    if (Result<void> checked = amqp::check_device_name(name); !checked) {
      return checked.error();
    }
    logins.push_back({{name, amqp::UserRole::Device, ""}, ""});
  }
  for (std::size_t i = 0; i < logins.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (logins[i].user.name == logins[j].user.name) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}' is named twice", logins[i].user.name));
      }
    }
  }
  return logins;
}

std::string definitions_of(const ProvisionFlags& flags, const std::vector<Login>& logins) {
  amqp::Definitions definitions;
  definitions.vhost = flags.vhost;
  definitions.kind = flags.queues == "quorum" ? QueueKind::Quorum : QueueKind::Classic;
  definitions.topology.push_back(fleet_topology(definitions.kind));
  for (const Login& login : logins) {
    definitions.users.push_back(login.user);
    if (login.user.role == amqp::UserRole::Device) {
      definitions.topology.push_back(device_topology(login.user.name, definitions.kind));
    }
  }
  return amqp::definitions_json(definitions);
}

int provision(const ProvisionFlags& flags) {
  Result<std::vector<Login>> logins = logins_of(flags);
  if (!logins) {
    return complain(logins.error().message, kExitUsage);
  }
  Result<amqp::BrokerUrl> address = amqp::BrokerUrl::parse(flags.address);
  if (!address) {
    return complain(address.error().message, kExitUsage);
  }
  address->vhost = flags.vhost;
  for (amqp::BrokerUrl& node : address->others) {
    node.vhost = flags.vhost;
  }
  const fs::path out = flags.out;
  for (Login& login : *logins) {
    const fs::path file = out / "credentials" / login.user.name;
    const std::optional<std::string> before = password_in(file, login.user.name);
    login.kept = before.has_value();
    login.password = before.value_or(amqp::new_password());
    login.user.password_hash = amqp::password_hash(login.password);
    if (Result<void> written = write_credential(file, *address, login.user.name, login.password);
        !written) {
      return complain(written.error().message, kExitFailed);
    }
    fmt::print("{:<12} {:<24} {}{}\n", amqp::to_string(login.user.role).substr(8), login.user.name,
               file.string(), login.kept ? "  (its password stays)" : "");
  }
  const fs::path file = out / "definitions.json";
  const std::string definitions = definitions_of(flags, *logins);
  if (Result<void> written = amqp::write_private_file(file.string(), definitions, 0600); !written) {
    return complain(written.error().message, kExitFailed);
  }
  if (flags.rabbitmqctl.empty()) {
    fmt::print("definitions  {}\nImport them on the broker: rabbitmqctl import_definitions {}\n",
               file.string(), file.string());
    return kExitDone;
  }
  const Result<FleetAdmin> admin = find_admin(
      {.rabbitmqctl = flags.rabbitmqctl, .vhost = flags.vhost, .address = flags.address});
  const Result<void> applied = admin ? admin->users.import(definitions) : admin.error();
  if (!applied) {
    return complain(applied.error().message, kExitUnreachable);
  }
  fmt::print("definitions  {}, imported\n", file.string());
  return kExitDone;
}

int mend(const std::string& folder) {
  const Result<std::vector<amqp::MendedFile>> mended = amqp::mend_message_stores(folder);
  if (!mended) {
    return complain(mended.error().message, kExitFailed);
  }
  for (const amqp::MendedFile& file : *mended) {
    fmt::print("{} -> {}: the broker reads its messages again\n", file.from,
               fs::path(file.to).filename().string());
  }
  if (mended->empty()) {
    fmt::print("nothing to mend in {}\n", folder);
  }
  return kExitDone;
}

void add_mend(CLI::App& broker, Action& action) {
  CLI::App* command =
      broker.add_subcommand("mend", "Messages that a killed broker was moving are read again");
  const auto folder = std::make_shared<std::string>("/var/lib/rabbitmq/mnesia");
  command->add_option("FOLDER", *folder, "Of the node's data")->capture_default_str();
  command->footer(
      "RabbitMQ before 3.13 that is killed while it compacts its files forgets confirmed messages "
      "in\nthem. Run this before each of its starts (`juggler up` does it for its own):\n\n"
      "  [Service]\n"
      "  ExecStartPre=-/usr/bin/juggler broker mend /var/lib/rabbitmq/mnesia\n\n"
      "in /etc/systemd/system/rabbitmq-server.service.d/mend.conf, then systemctl daemon-reload.");
  command->callback([folder, &action] { action = [folder] { return mend(*folder); }; });
}

}  // namespace

void add_broker_command(CLI::App& app, Action& action) {
  CLI::App* broker = app.add_subcommand("broker", "A RabbitMQ of one's own, made ready");
  broker->require_subcommand(1);
  add_mend(*broker, action);
  CLI::App* command = broker->add_subcommand(
      "provision", "Users, permissions, exchanges and queues, as definitions and logins");
  const auto flags = std::make_shared<ProvisionFlags>();
  refuse_password(*command
                       ->add_option("--address", flags->address,
                                    "How the broker is reached, amqps://host:5671: written into "
                                    "the logins")
                       ->required()
                       ->type_name("URL"));
  command->add_option("--vhost", flags->vhost, "There")->capture_default_str()->type_name("NAME");
  command->add_option("--device", flags->devices, "Devices that get a login now")
      ->delimiter(',')
      ->type_name("A,B,...");
  command->add_option("--submitter", flags->submitters, "Submitters that get a login [submitter]")
      ->delimiter(',')
      ->type_name("A,B,...");
  command
      ->add_option("--queues", flags->queues,
                   "classic, or quorum: for a cluster of three nodes or more, once all have joined")
      ->check(CLI::IsMember({"classic", "quorum"}))
      ->capture_default_str();
  command->add_option("--out", flags->out, "Folder of the definitions and the logins")
      ->capture_default_str()
      ->type_name("DIR");
  command
      ->add_option("--rabbitmqctl", flags->rabbitmqctl,
                   "Import them at once, by this command (rabbitmqctl, or docker exec -i ...)")
      ->type_name("COMMAND");
  command->footer(
      examples({"juggler broker provision --address amqps://broker.lan:5671 --device pi5,nano-1",
                "juggler broker provision --address amqps://broker.lan:5671 --rabbitmqctl "
                "rabbitmqctl",
                "juggler broker provision --queues quorum --address "
                "amqps://n1:5671,amqps://n2:5671,amqps://n3:5671"}) +
      "\nWhoever is there keeps its password; nobody is taken away (juggler devices revoke).");
  command->callback([flags, &action] { action = [flags] { return provision(*flags); }; });
}

}  // namespace juggler
