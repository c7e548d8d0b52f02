// `juggler devices remove | rename`: a device leaves for good, or is called something else.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "amqp/device_orders.h"
#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/fleet_admin.h"
#include "core/device.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

constexpr Micros kRenameMaxDefault = seconds(120);  // it finishes what it has, and may measure
constexpr std::chrono::milliseconds kLookAgain{300};
constexpr std::chrono::seconds kDoubt{75};  // longer than a device takes to finish what it has

struct NameFlags {
  BrokerChoice broker;
  AdminChoice admin;
  std::string device;
  std::string name;
  std::optional<Micros> wait;
};

struct Admins {
  amqp::BrokerUrl broker;  // with a controller's login
  FleetAdmin admin;
};

Result<Admins> admins_of(const NameFlags& flags) {
  BrokerChoice choice = flags.broker;
  choice.home = flags.admin.home;
  Result<amqp::BrokerUrl> broker = find_controller_login(choice);
  if (!broker) {
    return broker.error();
  }
  Result<FleetAdmin> admin = find_admin(flags.admin);
  return admin ? Result<Admins>(Admins{std::move(*broker), std::move(*admin)})
               : Result<Admins>(admin.error());
}

// Whoever it is: a submitter's login must not become a device's.
Result<bool> is_user(const FleetAdmin& admin, const std::string& name) {
  const auto known = admin.users.list();
  if (!known) {
    return known.error();
  }
  return std::any_of(known->begin(), known->end(),
                     [&](const amqp::KnownUser& user) { return user.name == name; });
}

Result<bool> is_device(const FleetAdmin& admin, const std::string& name) {
  const auto known = admin.users.list();
  if (!known) {
    return known.error();
  }
  return std::any_of(known->begin(), known->end(), [&](const amqp::KnownUser& user) {
    return user.name == name && user.role == amqp::UserRole::Device;
  });
}

int remove(const NameFlags& flags) {
  const Result<Admins> admins = admins_of(flags);
  if (!admins) {
    return complain_of(admins.error());
  }
  const Result<bool> known = is_device(admins->admin, flags.device);
  if (!known) {
    return complain_of(known.error());
  }
  bool noted = false;
  const Result<FleetRecord> kept = amqp::edit_record(admins->broker, [&](FleetRecord& record) {
    noted = record.note_of(flags.device) != nullptr;
    std::erase_if(record.devices,
                  [&](const DeviceNote& note) { return note.device == flags.device; });
    std::erase_if(record.wants, [&](const Want& want) {
      return want.where.kind == Selector::Kind::Device && want.where.name == flags.device;
    });
    for (Rollout& rollout : record.rollouts) {
      std::erase(rollout.reached, flags.device);
    }
    return Result<void>();
  });
  if (!kept) {
    return complain_of(kept.error());
  }
  if (!*known && !noted) {
    return complain("there is no device '" + flags.device + "'", kExitUsage);
  }
  if (*known) {
    if (Result<void> gone = admins->admin.users.remove(flags.device); !gone) {
      return complain_of(gone.error());
    }
  }
  fmt::print("{} is removed: its login, its queues, its labels\n", flags.device);
  return kExitDone;
}

// Waits until the device is there by its new name, or stays by its old one.
Result<bool> await_name(const Admins& admins, const NameFlags& flags) {
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::microseconds(flags.wait.value_or(kRenameMaxDefault).count);
  const auto doubt = std::chrono::steady_clock::now() + kDoubt;
  for (;;) {
    const Result<bool> there = amqp::device_is_there(admins.broker, flags.name);
    const Result<bool> still = amqp::device_is_there(admins.broker, flags.device);
    if (!there || !still) {
      return there ? still.error() : there.error();
    }
    if (*there) {
      return true;
    }
    const auto now = std::chrono::steady_clock::now();
    if ((now >= doubt && *still) || now >= until) {
      return false;
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

int give_up(const Admins& admins, const NameFlags& flags) {
  const Result<bool> still = amqp::device_is_there(admins.broker, flags.device);
  // The new login stays: a device that is slow may have written it down as its only one.
  if (still && *still) {
    return complain(
        fmt::format("{0} is still there by its name. Its log says why: it may not keep "
                    "its login itself (one that was given it by --broker-file does not), or be "
                    "older. If it says that it refused: juggler devices revoke {1}",
                    flags.device, flags.name),
        kExitFailed);
  }
  return complain(fmt::format("{0} has left and is not there as {1} yet; if it does not come, look "
                              "at its log. Then: juggler devices remove {0}",
                              flags.device, flags.name),
                  kExitFailed);
}

int rename(const NameFlags& flags) {
  const Result<Admins> admins = admins_of(flags);
  if (!admins) {
    return complain_of(admins.error());
  }
  const Result<bool> known = is_device(admins->admin, flags.device);
  const Result<bool> taken = is_user(admins->admin, flags.name);
  if (!known || !taken) {
    return complain_of(known ? taken.error() : known.error());
  }
  if (!*known || *taken) {
    return complain(*known ? fmt::format("the name '{}' is taken", flags.name)
                           : fmt::format("there is no device '{}'", flags.device),
                    kExitUsage);
  }
  const Result<bool> there = amqp::device_is_there(admins->broker, flags.device);
  if (!there || !*there) {
    return there ? complain(flags.device + " is not there now, so nobody can tell it its name",
                            kExitFailed)
                 : complain_of(there.error());
  }
  const std::string password = amqp::new_password();
  const Result<void> put = admins->admin.users.put(
      {{flags.name, amqp::UserRole::Device, amqp::password_hash(password)}});
  if (!put) {
    return complain_of(put.error());
  }
  const Result<void> told = amqp::tell_device(
      admins->broker, flags.device,
      {.kind = wire::ControlKind::Rename, .device = flags.name, .password = password});
  if (!told) {
    (void)admins->admin.users.remove(flags.name);  // nobody has heard of it
    return complain_of(told.error());
  }
  const Result<bool> renamed = await_name(*admins, flags);
  if (!renamed) {
    return complain_of(renamed.error());
  }
  if (!*renamed) {
    return give_up(*admins, flags);
  }
  const Result<FleetRecord> kept = amqp::edit_record(admins->broker, [&](FleetRecord& record) {
    for (DeviceNote& note : record.devices) {
      note.device = note.device == flags.device ? flags.name : note.device;
    }
    for (Rollout& rollout : record.rollouts) {
      std::replace(rollout.reached.begin(), rollout.reached.end(), flags.device, flags.name);
    }
    for (Want& want : record.wants) {
      if (want.where.kind == Selector::Kind::Device && want.where.name == flags.device) {
        want.where.name = flags.name;
      }
    }
    return Result<void>();
  });
  if (const Result<void> gone = admins->admin.users.remove(flags.device); !gone) {
    return complain_of(gone.error());
  }
  if (!kept) {
    return complain_of(kept.error());
  }
  fmt::print("{} is {} now; its labels and groups went with it\n", flags.device, flags.name);
  return kExitDone;
}

void add_name_flags(CLI::App& command, NameFlags& flags) {
  add_admin_flags(command, flags.admin);
  command
      .add_option("--broker-file", flags.broker.broker_file,
                  "Of another broker than the home's: a controller's login there")
      ->type_name("FILE");
}

using Work = int (*)(const NameFlags&);

void set_work(CLI::App* command, const std::shared_ptr<NameFlags>& flags, Work work,
              Action& action) {
  command->callback([flags, work, &action] {
    action = [flags, work] {
      (void)set_up_log("juggler", "off");
      for (const std::string& name : {flags->device, flags->name}) {
        if (const Result<void> named = amqp::check_device_name(name); !name.empty() && !named) {
          return complain(named.error().message, kExitUsage);
        }
      }
      return work(*flags);
    };
  });
}

}  // namespace

void add_device_names(CLI::App& devices, Action& action) {
  CLI::App* gone = devices.add_subcommand(
      "remove", "Take a device out of the fleet: its login, its queues, its labels");
  const auto gone_flags = std::make_shared<NameFlags>();
  gone->add_option("name", gone_flags->device, "The device")->required()->type_name("NAME");
  add_name_flags(*gone, *gone_flags);
  gone->footer(examples({"juggler devices remove pi5"}) +
               "\nWhat it had not answered goes elsewhere. To let it finish first: juggler devices "
               "drain.");
  set_work(gone, gone_flags, remove, action);

  CLI::App* command =
      devices.add_subcommand("rename", "Call a device something else, while it serves");
  const auto flags = std::make_shared<NameFlags>();
  command->add_option("name", flags->device, "What it is called now")->required()->type_name("OLD");
  command->add_option("to", flags->name, "What it is to be called")->required()->type_name("NEW");
  add_name_flags(*command, *flags);
  add_duration(*command, "--wait", flags->wait, "Until it is there by its new name [2min]");
  command->footer(examples({"juggler devices rename pi5 pi-roof"}) +
                  "\nIt finishes what it has, and comes back with a login of the new name; labels "
                  "and groups go with it.\nOnly a device that joined by a line keeps its login "
                  "itself. Exit status: 0 done, 1 it keeps its name.");
  set_work(command, flags, rename, action);
}

}  // namespace juggler
