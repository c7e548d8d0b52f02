// `juggler dead list | show | requeue`: tasks that failed, and messages that could not be read.

#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "amqp/dead_letters.h"
#include "apps/client.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/json_fields.h"
#include "apps/table.h"
#include "telemetry/log.h"
#include "telemetry/printable.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using amqp::DeadLetter;
using amqp::DeadLetters;
using nlohmann::json;

// The queue holds no more; list shows the oldest.
constexpr int kLookedAtMax = 10'000;
constexpr std::size_t kListedMax = 200;

struct DeadFlags {
  BrokerChoice broker;
  bool json = false;
  bool all = false;
  std::string task;
};

std::string header_of(const wire::Envelope& envelope, std::string_view key) {
  const auto at = envelope.headers.find(key);
  const auto* text = at != envelope.headers.end() ? std::get_if<std::string>(&at->second) : nullptr;
  return text != nullptr ? *text : std::string();
}

// What is known of a dead letter: a failed task has its outcome, anything else a reason at most.
json entry_of(const DeadLetter& letter) {
  const wire::Envelope& envelope = letter.envelope;
  json entry{{"id", envelope.message_id},
             {"kind", envelope.type == "juggler.dead.v1" ? "task" : "message"},
             {"bytes", envelope.body != nullptr ? envelope.body->size() : 0}};
  const json outcome =
      json::parse(header_of(envelope, "x-juggler-outcome"), nullptr, /*allow_exceptions=*/false);
  if (outcome.is_object()) {
    entry["outcome"] = outcome;
    entry["reason"] = text_of(outcome, "reason");
    entry["submitter"] = text_of(outcome, "submitter");
    return entry;
  }
  entry["type"] = envelope.type;
  entry["reason"] = header_of(envelope, "x-juggler-reason");
  entry["queue"] = header_of(envelope, "x-juggler-queue");
  return entry;
}

Result<DeadLetters> open(const DeadFlags& flags) {
  const Result<amqp::BrokerUrl> address = find_controller_login(flags.broker);
  return address ? DeadLetters::open(*address) : Result<DeadLetters>(address.error());
}

int list(const DeadFlags& flags) {
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  json entries = json::array();
  while (entries.size() < kListedMax) {
    const Result<std::optional<DeadLetter>> letter = letters->next();
    if (!letter) {
      return complain(letter.error().message, kExitUnreachable);
    }
    if (!letter->has_value()) {
      break;
    }
    json entry = entry_of(**letter);
    if (entry.contains("outcome")) {
      entry["attempts"] = list_of(entry["outcome"], "attempts").size();
      entry.erase("outcome");  // show has it
    }
    entries.push_back(std::move(entry));
  }
  if (flags.json) {
    fmt::print("{}\n", json{{"dead", std::move(entries)}}.dump(2, ' ', false,
                                                               json::error_handler_t::replace));
    return kExitDone;
  }
  Table table({{.title = "id", .fit = Column::Fit::Id},
               {.title = "kind"},
               {.title = "bytes", .right = true, .leave_out = 1},
               {.title = "why", .fit = Column::Fit::Wrap, .least = 20}});
  for (const json& entry : entries) {
    table.row({printable(text_of(entry, "id")), text_of(entry, "kind"),
               std::to_string(integer_of(entry, "bytes").value_or(0)),
               printable(text_of(entry, "reason"))});
  }
  fmt::print("{}", table.empty() ? "Nothing is dead.\n" : table.text(screen_of(STDOUT_FILENO)));
  return kExitDone;
}

// Calls `found` with each dead letter that is meant. Its errors end the search.
Result<int> each_meant(DeadLetters& letters, const DeadFlags& flags,
                       const std::function<Result<bool>(const DeadLetter&)>& found) {
  int count = 0;
  for (int looked = 0; looked < kLookedAtMax; ++looked) {
    const Result<std::optional<DeadLetter>> letter = letters.next();
    if (!letter) {
      return letter.error();
    }
    if (!letter->has_value()) {
      break;
    }
    if (flags.all || (*letter)->envelope.message_id == flags.task) {
      const Result<bool> done = found(**letter);
      if (!done) {
        return done.error();
      }
      count += *done ? 1 : 0;
      if (!flags.all) {
        break;
      }
    }
  }
  return count;
}

int show_one(const DeadFlags& flags) {
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  const Result<int> shown =
      each_meant(*letters, flags, [](const DeadLetter& letter) -> Result<bool> {
        fmt::print("{}\n", entry_of(letter).dump(2, ' ', false, json::error_handler_t::replace));
        return true;
      });
  if (!shown) {
    return complain(shown.error().message, kExitUnreachable);
  }
  return *shown > 0 ? kExitDone
                    : complain("nothing dead has the id '" + printable(flags.task) +
                                   "': `juggler dead list` lists what is there",
                               kExitFailed);
}

int requeue(const DeadFlags& flags) {
  if (flags.all != flags.task.empty()) {
    return complain("name a task, or --all", kExitUsage);
  }
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  json again = json::array();
  const Result<int> done =
      each_meant(*letters, flags, [&](const DeadLetter& letter) -> Result<bool> {
        const std::string& id = letter.envelope.message_id;
        // Under its old id it would be given its old answer.
        const std::string fresh = fresh_task_id(id.substr(0, 80) + "-again");
        const std::optional<wire::Envelope> task = wire::submit_again(letter.envelope, fresh);
        if (!task.has_value()) {
          return flags.all ? Result<bool>(false)
                           : Result<bool>(fail(ErrorCode::InvalidArgument,
                                               "'" + printable(id) +
                                                   "' is no failed task: only those can be "
                                                   "submitted again"));
        }
        if (Result<void> replaced = letters->replace(letter, *task); !replaced) {
          return replaced.error();
        }
        again.push_back({{"id", id}, {"again", fresh}});
        return true;
      });
  if (flags.json) {
    fmt::print("{}\n",
               json{{"requeued", again}}.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    for (const json& one : again) {
      fmt::print("{} is submitted again as {}\n", printable(text_of(one, "id")),
                 printable(text_of(one, "again")));
    }
  }
  if (!done) {
    return complain(done.error().message, done.error().code == ErrorCode::InvalidArgument
                                              ? kExitUsage
                                              : kExitUnreachable);
  }
  return *done > 0 || flags.all
             ? kExitDone
             : complain("nothing dead has the id '" + printable(flags.task) + "'", kExitFailed);
}

using Run = int (*)(const DeadFlags&);

std::shared_ptr<DeadFlags> add(CLI::App& dead, Action& action, const char* name, const char* help,
                               Run run) {
  CLI::App* command = dead.add_subcommand(name, help);
  auto flags = std::make_shared<DeadFlags>();
  add_broker_flags(*command, flags->broker);
  if (run != show_one) {
    command->add_flag("--json", flags->json, "One JSON document instead of the text");
  }
  if (run != list) {
    CLI::Option* task = command->add_option("task", flags->task, "Its id (see juggler dead list)")
                            ->type_name("TASK");
    if (run == requeue) {
      command->add_flag("--all", flags->all, "Every failed task");
    } else {
      task->required();
    }
  }
  command->callback([flags, run, &action] {
    action = [flags, run] {
      (void)set_up_log("juggler", "off");  // what fails is said once, by the command itself
      return run(*flags);
    };
  });
  return flags;
}

}  // namespace

void add_dead_command(CLI::App& app, Action& action) {
  CLI::App* dead =
      app.add_subcommand("dead", "Tasks that failed for good, and messages that nobody could read");
  dead->require_subcommand(1);
  dead->footer(
      examples({"juggler dead list", "juggler dead show task-0123456789abcdef",
                "juggler dead requeue task-0123456789abcdef",
                "juggler dead requeue --all --broker-file /etc/juggler/broker"}) +
      "\nThe login needs a controller's rights; that of this home's private broker is found "
      "by itself.\nExit status: 0 done, 1 nothing has that id, 2 usage, 3 no broker or not "
      "the rights.");
  add(*dead, action, "list", "What is there, the oldest first", list);
  add(*dead, action, "show", "One of them with its history, as JSON", show_one);
  add(*dead, action, "requeue", "Submit a failed task again, under a new id", requeue);
}

}  // namespace juggler
