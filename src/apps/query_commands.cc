// `juggler devices | models | policies | tasks | status`: questions to the controller.

#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/client_session.h"
#include "apps/commands.h"
#include "apps/device_list.h"
#include "apps/query_tables.h"
#include "core/policies/policy.h"
#include "files/catalogue.h"
#include "telemetry/log.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr Micros kAnswerMax = seconds(5);
constexpr Micros kKeeperMax = seconds(3);

struct QueryFlags {
  BrokerChoice broker;
  bool json = false;
  bool all = false;               // explain
  std::string task;               // explain
  std::string log_level = "off";  // what fails is said once, by the command itself
};

Result<json> ask(const QueryFlags& flags, const std::string& what) {
  const bool of_tasks = what == "tasks" || what == "explain";  // told to whom they belong
  Result<std::unique_ptr<ClientSession>> session =
      of_tasks ? open_asker(flags.broker) : open_client(flags.broker);
  if (!session) {
    return session.error();
  }
  Result<json> answer = (*session)->client->ask(what, flags.task, kAnswerMax);
  (*session)->transport->close(kClientCloseMax);
  return answer;
}

int status_of(const Error& error) {
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitUnreachable;
}

void print_json(const json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
}

using Printer = std::string (*)(const json&, const Screen&);

int query(const QueryFlags& flags, const std::string& what, Printer printer) {
  const Result<json> answer = ask(flags, what);
  if (!answer) {
    return complain(answer.error().message, status_of(answer.error()));
  }
  if (flags.json) {
    print_json(*answer);
  } else {
    fmt::print("{}", printer(*answer, screen_of(STDOUT_FILENO)));
  }
  return kExitDone;
}

// What the keeper knows; an empty object where there is none, or a reason where that is asked for.
Result<json> ask_keeper(ClientSession& session, bool needed) {
  Result<json> fleet = session.client->ask_keeper(kKeeperMax);
  return fleet || needed ? fleet : Result<json>(json::object());
}

int devices(const QueryFlags& flags, const DeviceChoice& choice) {
  if (!is_device_sort(choice.sort)) {
    return complain(std::string("--sort takes one of ") + kDeviceSorts, kExitUsage);
  }
  Result<std::unique_ptr<ClientSession>> session = open_client(flags.broker);
  if (!session) {
    return complain(session.error().message, status_of(session.error()));
  }
  Result<json> answer = (*session)->client->ask("devices", "", kAnswerMax);
  const Result<json> fleet =
      answer ? ask_keeper(**session, choice.needs_keeper()) : Result<json>(json::object());
  (*session)->transport->close(kClientCloseMax);
  if (!answer || !fleet) {
    const Error& error = answer ? fleet.error() : answer.error();
    return complain(error.message, status_of(error));
  }
  add_notes(*answer, *fleet);
  choose_devices(*answer, choice);
  if (flags.json) {
    print_json(*answer);
  } else {
    fmt::print("{}", devices_text(*answer, screen_of(STDOUT_FILENO)));
  }
  return kExitDone;
}

// What the keeper offers, to whom, and how far rollouts are.
int models_list(const QueryFlags& flags) {
  Result<std::unique_ptr<ClientSession>> session = open_client(flags.broker);
  if (!session) {
    return complain(session.error().message, status_of(session.error()));
  }
  const Result<json> fleet = ask_keeper(**session, /*needed=*/true);
  (*session)->transport->close(kClientCloseMax);
  if (!fleet) {
    return complain(fleet.error().message, status_of(fleet.error()));
  }
  if (flags.json) {
    print_json(*fleet);
  } else {
    fmt::print("{}", fleet_models_text(*fleet, screen_of(STDOUT_FILENO)));
  }
  return kExitDone;
}

// What the catalogue on disk holds, in the form of a controller's answer.
Result<json> catalogue_answer(const QueryFlags& flags) {
  const Result<Catalogue> catalogue = Catalogue::load(home_folder(flags.broker.home));
  if (!catalogue) {
    return catalogue.error();
  }
  json list = json::array();
  for (const CatalogueVariant& entry : catalogue->variants()) {
    const Variant& variant = entry.variant;
    list.push_back({{"id", variant.id},
                    {"model", variant.model},
                    {"network", variant.network},
                    {"precision", variant.precision},
                    {"accuracy_percent", static_cast<double>(variant.accuracy.count) / 1000.0},
                    {"accuracy_evidence", to_string(variant.accuracy_evidence)},
                    {"weights", to_string(variant.weights)},
                    {"placements", json::array()}});
  }
  return json{{"models", std::move(list)}, {"auto_model", "imagenet"}};
}

int models(const QueryFlags& flags) {
  Result<json> answer = ask(flags, "models");
  if (!answer) {
    const std::string why = answer.error().message;
    answer = catalogue_answer(flags);
    if (!answer) {
      return complain(why + "\njuggler: nor a catalogue on disk: " + answer.error().message,
                      kExitUnreachable);
    }
    fmt::print(stderr, "juggler: no controller asked ({})\njuggler: this is the catalogue of {}\n",
               printable(why), (home_folder(flags.broker.home) / "models").string());
  }
  if (flags.json) {
    print_json(*answer);
  } else {
    fmt::print("{}", models_text(*answer, screen_of(STDOUT_FILENO)));
  }
  return kExitDone;
}

int policies_or_ours(const QueryFlags& flags) {
  Result<json> answer = ask(flags, "policies");
  if (!answer) {
    json list = json::array();
    std::vector<PolicyEntry> known = policies();
    for (PolicyEntry& policy : policies_with_parameter()) {
      known.push_back(std::move(policy));
    }
    for (const PolicyEntry& policy : known) {
      list.push_back({{"name", policy.name}, {"about", policy.about}, {"active", false}});
    }
    answer = json{{"policies", std::move(list)}};
  }
  if (flags.json) {
    print_json(*answer);
  } else {
    fmt::print("{}", policies_text(*answer, screen_of(STDOUT_FILENO)));
  }
  return kExitDone;
}

int explain(const QueryFlags& flags) {
  if (flags.task.empty()) {
    return complain("which task? `juggler tasks` lists their ids", kExitUsage);
  }
  const Result<json> answer = ask(flags, "explain");
  if (!answer) {
    return complain(answer.error().message,
                    answer.error().code == ErrorCode::NotFound &&
                            answer.error().message.rfind("no decision", 0) == 0
                        ? kExitFailed
                        : status_of(answer.error()));
  }
  if (flags.json) {
    print_json(*answer);
  } else {
    fmt::print("{}", explain_text(*answer, screen_of(STDOUT_FILENO), {.all = flags.all}));
  }
  return kExitDone;
}

// Runs a command with the log that its flags ask for.
template <class Command>
int logged(const QueryFlags& flags, Command command) {
  if (Result<void> log = set_up_log("juggler", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  return command(flags);
}

std::shared_ptr<QueryFlags> add_flags(CLI::App& command, const std::string& example) {
  auto flags = std::make_shared<QueryFlags>();
  add_broker_flags(command, flags->broker);
  command.add_flag("--json", flags->json, "The controller's JSON instead of a table");
  command.add_option("--log-level", flags->log_level, "trace, debug, info, warn, error or off");
  command.footer(examples({example, example + " --json"}) +
                 "\nExit status: 0 done, 2 usage, 3 no broker or controller.");
  return flags;
}

CLI::App& add_listing(CLI::App& app, Action& action, const std::string& name,
                      const std::string& help, Printer printer) {
  CLI::App* command = app.add_subcommand(name, help);
  const auto flags = add_flags(*command, "juggler " + name);
  command->callback([flags, name, printer, command, &action] {
    if (!command->get_subcommands().empty()) {
      return;
    }
    action = [flags, name, printer] {
      return logged(*flags, [&](const QueryFlags& given) { return query(given, name, printer); });
    };
  });
  return *command;
}

CLI::App& add_devices(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("devices", "Who is there: devices, processors, load");
  const auto flags = add_flags(*command, "juggler devices");
  const auto choice = std::make_shared<DeviceChoice>();
  command
      ->add_option("--label", choice->labels,
                   "Those with this label (KEY=VALUE, or KEY); several: with all of them")
      ->type_name("LABEL");
  command->add_option("--group", choice->groups, "Those in this group; several: in all of them")
      ->type_name("GROUP");
  command->add_option("--state", choice->state, "Those that are live, suspect or lost")
      ->type_name("STATE");
  command->add_option("--board", choice->board, "Those of this board")->type_name("BOARD");
  command->add_option("--sort", choice->sort, std::string("By ") + kDeviceSorts)
      ->capture_default_str()
      ->type_name("BY");
  command->footer(examples({"juggler devices", "juggler devices --label site=roof --state suspect",
                            "juggler devices --group cameras --sort load --json"}) +
                  "\nExit status: 0 done, 2 usage, 3 no broker or controller; or no keeper, where "
                  "--label or --group ask for it.");
  command->callback([flags, choice, command, &action] {
    if (command->get_subcommands().empty()) {
      action = [flags, choice] {
        return logged(*flags, [&](const QueryFlags& given) { return devices(given, *choice); });
      };
    }
  });
  return *command;
}

}  // namespace

void add_query_commands(CLI::App& app, Action& action) {
  CLI::App& devices = add_devices(app, action);
  add_device_drain(devices, action);
  add_device_notes(devices, action);
  add_device_names(devices, action);
  add_invite_command(devices, action);
  add_device_logins(devices, action);
  CLI::App* list = app.add_subcommand(
      "models", "What can answer: variants, accuracy, where; the catalogue if nothing runs");
  const auto model_flags = add_flags(*list, "juggler models");
  list->callback([model_flags, list, &action] {
    if (list->get_subcommands().empty()) {
      action = [model_flags] { return logged(*model_flags, models); };
    }
  });
  add_own_models(*list, action);
  add_fleet_models(*list, action);
  CLI::App* offered = list->add_subcommand(
      "list", "What is handed out: sizes, what is wanted where, who holds it, rollouts");
  const auto offered_flags = add_flags(*offered, "juggler models list");
  offered->callback([offered_flags, &action] {
    action = [offered_flags] { return logged(*offered_flags, models_list); };
  });
  CLI::App* rules = app.add_subcommand("policies", "The rules of placement that there are");
  const auto rule_flags = add_flags(*rules, "juggler policies");
  rules->callback([rule_flags, &action] {
    action = [rule_flags] { return logged(*rule_flags, policies_or_ours); };
  });
  add_listing(app, action, "tasks", "Tasks that live, and the last that were answered", tasks_text);
  add_listing(app, action, "status", "The controller itself: version, policy, counts", status_text);
}

void add_explain_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "explain", "Why a task went where it went: all candidates, and why each lost");
  const auto flags = add_flags(*command, "juggler explain task-0123456789abcdef");
  command->footer(examples({"juggler explain task-0123456789abcdef",
                            "juggler explain task-0123456789abcdef --all --json"}) +
                  "\nExit status: 0 done, 1 no decision about it is kept, 2 usage, 3 no broker or "
                  "controller.");
  command->add_option("task", flags->task, "A task's id (see juggler tasks)")
      ->required()
      ->type_name("TASK");
  command->add_flag("--all", flags->all, "Variants of other models and synthetic ones too");
  command->callback([flags, &action] { action = [flags] { return logged(*flags, explain); }; });
}

}  // namespace juggler
