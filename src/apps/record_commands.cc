// What people decide about devices and models, one command each: `juggler devices label | group |
// remove | rename`, `juggler models want | rollout | rollback`.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "amqp/drain.h"
#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/fleet_admin.h"
#include "apps/json_fields.h"
#include "apps/keeper_question.h"
#include "core/device.h"
#include "files/fleet_file.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

std::int64_t unix_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// Changes the record and has the devices ask again.
int edit(const BrokerChoice& choice, const std::function<Result<void>(FleetRecord&)>& change,
         const std::string& done) {
  (void)set_up_log("juggler", "off");
  const Result<amqp::BrokerUrl> broker = find_controller_login(choice);
  if (!broker) {
    return complain_of(broker.error());
  }
  const Result<FleetRecord> kept = amqp::edit_record(*broker, change);
  if (!kept) {
    return complain_of(kept.error());
  }
  const Result<void> nudged = amqp::nudge_devices(*broker);
  fmt::print("{}{}\n", done, nudged ? "" : "; devices hear of it within a minute");
  return kExitDone;
}

constexpr Micros kNamesWaitMax = seconds(15);  // on a busy machine

// A name that nothing answers to would have devices let go of all they hold. The keeper knows what
// there is.
Result<void> check_models(const BrokerChoice& choice, const std::vector<std::string>& names) {
  const Result<amqp::BrokerUrl> broker = find_controller_login(choice);
  const Result<nlohmann::json> fleet =
      broker ? ask_keeper_by(*broker, kNamesWaitMax) : Result<nlohmann::json>(broker.error());
  if (!fleet) {
    return fleet.error();
  }
  std::set<std::string> known;
  for (const nlohmann::json& model : list_of(*fleet, "models")) {
    for (const char* key : {"id", "network", "model"}) {
      known.insert(text_of(model, key));
    }
  }
  for (const std::string& name : names) {
    if (!known.contains(name)) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("no variant answers to '{}' (juggler models list); --force says it "
                              "all the same",
                              name));
    }
  }
  return {};
}

struct NoteFlags {
  BrokerChoice broker;
  std::string device;
  std::vector<std::string> words;
};

// KEY=VALUE sets a label, KEY- takes it away.
Result<void> change_labels(DeviceNote& note, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.ends_with('-') && word.find('=') == std::string::npos) {
      note.labels.erase(word.substr(0, word.size() - 1));
      continue;
    }
    const auto label = parse_label(word);
    if (!label) {
      return label.error();
    }
    note.labels[label->first] = label->second;
  }
  return {};
}

Result<void> change_groups(DeviceNote& note, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const bool away = word.ends_with('-');
    const std::string group = away ? word.substr(0, word.size() - 1) : word;
    if (!valid_record_word(group)) {
      return fail(ErrorCode::InvalidArgument, "'" + group + "' is no name for a group");
    }
    if (away) {
      note.groups.erase(group);
    } else {
      note.groups.insert(group);
    }
  }
  return {};
}

using NoteChange = Result<void> (*)(DeviceNote&, const std::vector<std::string>&);

void add_note_command(CLI::App& devices, Action& action, const std::string& name,
                      const std::string& help, const std::string& example, NoteChange change) {
  CLI::App* command = devices.add_subcommand(name, help);
  const auto flags = std::make_shared<NoteFlags>();
  command->add_option("device", flags->device, "Its name; it need not be there yet")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("words", flags->words,
                   name == "label" ? "KEY=VALUE sets one, KEY- takes it away"
                                   : "GROUP puts it in, GROUP- takes it out")
      ->required()
      ->type_name("WORDS");
  add_broker_flags(*command, flags->broker);
  command->footer(examples({example}) +
                  "\nThe login needs a controller's rights; that of this home's "
                  "private broker is found by itself.");
  command->callback([flags, change, &action] {
    action = [flags, change] {
      if (!valid_device_id(flags->device)) {
        return complain("'" + flags->device + "' cannot name a device", kExitUsage);
      }
      return edit(
          flags->broker,
          [&](FleetRecord& record) { return change(record.note_for(flags->device), flags->words); },
          flags->device + " is noted");
    };
  });
}

struct WantFlags {
  BrokerChoice broker;
  std::string where = "all";
  std::vector<std::string> models;
  bool nothing = false;
  bool forget = false;
  bool force = false;
};

int want(const WantFlags& flags) {
  const Result<Selector> where = parse_selector(flags.where);
  if (!where) {
    return complain(where.error().message, kExitUsage);
  }
  const int said =
      (flags.models.empty() ? 0 : 1) + (flags.nothing ? 1 : 0) + (flags.forget ? 1 : 0);
  if (said != 1) {
    return complain("say which models, or --nothing, or --forget", kExitUsage);
  }
  const Result<void> known = flags.models.empty() || flags.force
                                 ? Result<void>()
                                 : check_models(flags.broker, flags.models);
  if (!known) {
    return complain_of(known.error());
  }
  return edit(
      flags.broker,
      [&](FleetRecord& record) {
        std::erase_if(record.wants, [&](const Want& one) { return one.where == *where; });
        if (!flags.forget) {
          record.wants.push_back({*where, flags.models});
        }
        return Result<void>();
      },
      flags.forget ? fmt::format("{}: nothing is said any more", flags.where)
                   : fmt::format("wanted at {}: {}", flags.where,
                                 flags.nothing ? "nothing"
                                               : fmt::format("{}", fmt::join(flags.models, ", "))));
}

void add_want(CLI::App& models, Action& action) {
  CLI::App* command =
      models.add_subcommand("want", "Say which models devices are to hold, and where");
  const auto flags = std::make_shared<WantFlags>();
  command->add_option("models", flags->models, "Models, networks or variants")->type_name("MODELS");
  command->add_option("--where", flags->where, "all, device:NAME, group:NAME or label:KEY=VALUE")
      ->capture_default_str()
      ->type_name("WHERE");
  command->add_flag("--nothing", flags->nothing, "None of them");
  command->add_flag("--forget", flags->forget, "Take back what was said about WHERE");
  command->add_flag("--force", flags->force, "Names, too, that no variant answers to yet");
  add_broker_flags(*command, flags->broker);
  command->footer(
      examples({"juggler models want efficientnet_lite0 resnet50-int8 --where group:roof",
                "juggler models want --forget --where group:roof"}) +
      "\nThe most specific counts: a device's, its groups', its labels', all. Where "
      "nothing is said,\nevery variant with trained weights is wanted.");
  command->callback([flags, &action] { action = [flags] { return want(*flags); }; });
}

struct RolloutFlags {
  BrokerChoice broker;
  std::string variant;
  std::string where = "all";
  std::optional<Micros> watch;
  std::optional<Micros> latency_max;
  double errors_max = 10.0;
  double slower_max = 2.0;
  bool force = false;
};

Result<void> begin(FleetRecord& record, const Rollout& rollout) {
  const Rollout* known = record.rollout_of(rollout.variant);
  if (known != nullptr && known->state == RolloutState::Rolling) {
    return fail(ErrorCode::InvalidArgument, fmt::format("{0} is being rolled out already: juggler "
                                                        "models rollback {0} ends that",
                                                        rollout.variant));
  }
  std::erase_if(record.rollouts,
                [&](const Rollout& one) { return one.variant == rollout.variant; });
  record.rollouts.push_back(rollout);
  return {};
}

int roll_out(const RolloutFlags& flags) {
  const Result<Selector> where = parse_selector(flags.where);
  if (!where) {
    return complain(where.error().message, kExitUsage);
  }
  const Result<void> known =
      flags.force ? Result<void>() : check_models(flags.broker, {flags.variant});
  if (!known) {
    return complain_of(known.error());
  }
  Rollout rollout;
  rollout.variant = flags.variant;
  rollout.where = *where;
  rollout.watch = flags.watch.value_or(rollout.watch);
  rollout.latency_max = flags.latency_max;
  rollout.errors_permille_max = static_cast<std::int64_t>(flags.errors_max * 10.0);
  rollout.slower_percent_max = static_cast<std::int64_t>(flags.slower_max * 100.0);
  rollout.began_unix_s = unix_seconds();
  return edit(
      flags.broker, [&](FleetRecord& record) { return begin(record, rollout); },
      fmt::format("{} goes to {}, one device after the other: juggler models list shows how far",
                  flags.variant, flags.where));
}

void add_rollout(CLI::App& models, Action& action) {
  CLI::App* command = models.add_subcommand(
      "rollout", "Bring a variant to devices one after the other; back where it errs or slows");
  const auto flags = std::make_shared<RolloutFlags>();
  command->add_option("variant", flags->variant, "Its id")->required()->type_name("VARIANT");
  command->add_option("--where", flags->where, "all, device:NAME, group:NAME or label:KEY=VALUE")
      ->capture_default_str()
      ->type_name("WHERE");
  command->add_flag("--force", flags->force, "A variant, too, that is not offered yet");
  add_duration(*command, "--watch", flags->watch, "How long each device is watched [60s]");
  add_duration(*command, "--latency-max", flags->latency_max,
               "Back where one picture takes longer, whatever was measured");
  command->add_option("--errors-max", flags->errors_max, "Back where more attempts fail, percent")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str()
      ->type_name("PERCENT");
  command
      ->add_option("--slower-max", flags->slower_max,
                   "Back where it takes so many times what the device has measured")
      ->check(CLI::Range(1.0, 1'000.0))
      ->capture_default_str()
      ->type_name("TIMES");
  add_broker_flags(*command, flags->broker);
  command->footer(
      examples({"juggler models rollout flowers-fp32 --where group:roof",
                "juggler models rollout flowers-fp32 --watch 10min --latency-max 80ms"}) +
      "\n`juggler keeper` (juggler up) must run. Where nobody sends any, it sends a few "
      "pictures itself.");
  command->callback([flags, &action] { action = [flags] { return roll_out(*flags); }; });
}

void add_rollback(CLI::App& models, Action& action) {
  CLI::App* command =
      models.add_subcommand("rollback", "End a rollout: nobody is to hold the variant any more");
  const auto flags = std::make_shared<RolloutFlags>();
  const auto forget = std::make_shared<bool>(false);
  command->add_option("variant", flags->variant, "Its id")->required()->type_name("VARIANT");
  command->add_flag("--forget", *forget,
                    "Forget the rollout instead: what is wanted where counts again");
  add_broker_flags(*command, flags->broker);
  command->footer(examples({"juggler models rollback flowers-fp32"}));
  command->callback([flags, forget, &action] {
    action = [flags, forget] {
      return edit(
          flags->broker,
          [&](FleetRecord& record) {
            Rollout* rollout = record.rollout_of(flags->variant);
            if (rollout == nullptr) {
              return Result<void>(
                  fail(ErrorCode::InvalidArgument, "there is no rollout of " + flags->variant));
            }
            if (*forget) {
              std::erase_if(record.rollouts,
                            [&](const Rollout& one) { return one.variant == flags->variant; });
            } else {
              rollout->state = RolloutState::RolledBack;
              rollout->reason = "by hand";
            }
            return Result<void>();
          },
          flags->variant + (*forget ? ": its rollout is forgotten" : " is rolled back"));
    };
  });
}

}  // namespace

Result<void> begin_rollout(const std::string& home, const std::string& variant,
                           const std::string& where) {
  Rollout rollout;
  rollout.variant = variant;
  rollout.began_unix_s = unix_seconds();
  Result<Selector> selector = parse_selector(where);
  if (!selector) {
    return selector.error();
  }
  rollout.where = std::move(*selector);
  BrokerChoice choice;
  choice.home = home;
  const Result<amqp::BrokerUrl> broker = find_controller_login(choice);
  if (!broker) {
    return broker.error();
  }
  const Result<FleetRecord> kept =
      amqp::edit_record(*broker, [&](FleetRecord& record) { return begin(record, rollout); });
  return kept ? Result<void>() : Result<void>(kept.error());
}

void add_device_notes(CLI::App& devices, Action& action) {
  add_note_command(devices, action, "label", "Set or take away labels of a device",
                   "juggler devices label pi5 site=roof room-", change_labels);
  add_note_command(devices, action, "group", "Put a device into groups, or take it out",
                   "juggler devices group pi5 cameras", change_groups);
}

void add_fleet_models(CLI::App& models, Action& action) {
  add_want(models, action);
  add_rollout(models, action);
  add_rollback(models, action);
}

}  // namespace juggler
