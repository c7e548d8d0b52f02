// `juggler dead list | show | requeue`: tasks that failed, and messages that could not be read.

#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

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
using amqp::DeadQueue;
using nlohmann::json;

// A queue holds no more; list shows the oldest.
constexpr int kLookedAtMax = 10'000;
constexpr std::size_t kListedMax = 200;  // of each queue
constexpr int kHistoryDepthMax = 32;     // an outcome is 3 deep; copies of JSON recurse
constexpr std::size_t kFailuresMax = 20;

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

// A failed task's outcome; no object where there is none, or it nests too deep.
json history_of(const wire::Envelope& envelope) {
  bool too_deep = false;
  const auto shallow = [&too_deep](int depth, json::parse_event_t /*event*/, json& /*parsed*/) {
    too_deep = too_deep || depth > kHistoryDepthMax;
    return !too_deep;
  };
  json outcome =
      json::parse(header_of(envelope, "x-juggler-outcome"), shallow, /*allow_exceptions=*/false);
  return too_deep ? json() : outcome;
}

// What is known of a dead letter: a failed task has its outcome, anything else a reason at most.
json entry_of(const DeadLetter& letter) {
  const wire::Envelope& envelope = letter.envelope;
  const bool task = wire::is_failed_task(envelope);
  json entry{{"id", envelope.message_id},
             {"kind", task ? "task" : "message"},
             {"bytes", envelope.body != nullptr ? envelope.body->size() : 0}};
  if (task) {
    json outcome = history_of(envelope);
    entry["reason"] =
        outcome.is_object() ? text_of(outcome, "reason") : "its history cannot be read";
    entry["submitter"] = header_of(envelope, "x-juggler-submitter");
    if (outcome.is_object()) {
      entry["outcome"] = std::move(outcome);
    }
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

// The oldest of each queue.
Result<json> entries_of(DeadLetters& letters) {
  json entries = json::array();
  for (const DeadQueue queue : amqp::kDeadQueues) {
    for (std::size_t listed = 0; listed < kListedMax; ++listed) {
      const Result<std::optional<DeadLetter>> letter = letters.next(queue);
      if (!letter) {
        return letter.error();
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
  }
  return entries;
}

int list(const DeadFlags& flags) {
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  Result<json> entries = entries_of(*letters);
  if (!entries) {
    return complain(entries.error().message, kExitUnreachable);
  }
  if (flags.json) {
    fmt::print("{}\n", json{{"dead", std::move(*entries)}}.dump(2, ' ', false,
                                                                json::error_handler_t::replace));
    return kExitDone;
  }
  Table table({{.title = "id", .fit = Column::Fit::Id},
               {.title = "kind"},
               {.title = "bytes", .right = true, .leave_out = 1},
               {.title = "why", .fit = Column::Fit::Wrap, .least = 20}});
  for (const json& entry : *entries) {
    table.row({printable(text_of(entry, "id")), text_of(entry, "kind"),
               std::to_string(integer_of(entry, "bytes").value_or(0)),
               printable(text_of(entry, "reason"))});
  }
  fmt::print("{}", table.empty() ? "Nothing is dead.\n" : table.text(screen_of(STDOUT_FILENO)));
  return kExitDone;
}

int show_one(const DeadFlags& flags) {
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  for (const DeadQueue queue : amqp::kDeadQueues) {
    for (int looked = 0; looked < kLookedAtMax; ++looked) {
      const Result<std::optional<DeadLetter>> letter = letters->next(queue);
      if (!letter) {
        return complain(letter.error().message, kExitUnreachable);
      }
      if (!letter->has_value()) {
        break;
      }
      if ((*letter)->envelope.message_id == flags.task) {
        fmt::print("{}\n", entry_of(**letter).dump(2, ' ', false, json::error_handler_t::replace));
        return kExitDone;
      }
    }
  }
  return complain("nothing dead has the id '" + printable(flags.task) +
                      "': `juggler dead list` lists what is there",
                  kExitFailed);
}

// Tasks submitted again, and those that could not be.
struct Requeued {
  json again = json::array();
  json failed = json::array();
};

// Submits a failed task again. True where it was one.
Result<bool> requeue_one(DeadLetters& letters, const DeadLetter& letter, Requeued& requeued) {
  const std::string& id = letter.envelope.message_id;
  // Under its old id it would be given its old answer.
  const std::string fresh = fresh_task_id(id.substr(0, 80) + "-again");
  const std::optional<wire::Envelope> task = wire::submit_again(letter.envelope, fresh);
  if (!task.has_value()) {
    return false;
  }
  if (Result<void> replaced = letters.replace(letter, *task); !replaced) {
    return replaced.error();
  }
  requeued.again.push_back({{"id", id}, {"again", fresh}});
  return true;
}

// Every failed task of one queue; one that cannot be submitted again is left there.
//
// errors  no broker, not the rights, too many failures
Result<void> requeue_all(DeadLetters& letters, DeadQueue queue, Requeued& requeued) {
  for (int looked = 0; looked < kLookedAtMax; ++looked) {
    const Result<std::optional<DeadLetter>> letter = letters.next(queue);
    if (!letter) {
      return letter.error();
    }
    if (!letter->has_value()) {
      break;
    }
    if (const Result<bool> done = requeue_one(letters, **letter, requeued); !done) {
      requeued.failed.push_back(
          {{"id", (*letter)->envelope.message_id}, {"problem", done.error().message}});
      if (requeued.failed.size() >= kFailuresMax) {
        return fail(ErrorCode::Unavailable,
                    fmt::format("stopped after {} that cannot be submitted again", kFailuresMax));
      }
    }
  }
  return {};
}

// errors  InvalidArgument: it is no failed task; NotFound; Unavailable
Result<void> requeue_named(DeadLetters& letters, const DeadFlags& flags, Requeued& requeued) {
  bool seen = false;
  for (const DeadQueue queue : amqp::kDeadQueues) {
    for (int looked = 0; looked < kLookedAtMax; ++looked) {
      const Result<std::optional<DeadLetter>> letter = letters.next(queue);
      if (!letter) {
        return letter.error();
      }
      if (!letter->has_value()) {
        break;
      }
      if ((*letter)->envelope.message_id == flags.task) {
        seen = true;
        if (const Result<bool> done = requeue_one(letters, **letter, requeued); !done || *done) {
          return done ? Result<void>() : Result<void>(done.error());
        }
      }
    }
  }
  const std::string name = "'" + printable(flags.task) + "'";
  return seen ? fail(ErrorCode::InvalidArgument,
                     name + " is no failed task: only those can be submitted again")
              : fail(ErrorCode::NotFound, "nothing dead has the id " + name);
}

void print_requeued(const DeadFlags& flags, const Requeued& requeued) {
  if (flags.json) {
    json document{{"requeued", requeued.again}};
    if (!requeued.failed.empty()) {
      document["failed"] = requeued.failed;
    }
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    return;
  }
  for (const json& one : requeued.again) {
    fmt::print("{} is submitted again as {}\n", printable(text_of(one, "id")),
               printable(text_of(one, "again")));
  }
}

int requeue(const DeadFlags& flags) {
  if (flags.all != flags.task.empty()) {
    return complain("name a task, or --all", kExitUsage);
  }
  Result<DeadLetters> letters = open(flags);
  if (!letters) {
    return complain(letters.error().message, kExitUnreachable);
  }
  Requeued requeued;
  Result<void> done;
  if (flags.all) {
    for (const DeadQueue queue : amqp::kDeadQueues) {
      done = done ? requeue_all(*letters, queue, requeued) : done;
    }
  } else {
    done = requeue_named(*letters, flags, requeued);
  }
  print_requeued(flags, requeued);
  for (const json& one : requeued.failed) {
    (void)complain(printable(text_of(one, "id")) +
                       " is not submitted again: " + printable(text_of(one, "problem")),
                   kExitFailed);
  }
  if (!done) {
    const ErrorCode code = done.error().code;
    return complain(done.error().message, code == ErrorCode::InvalidArgument ? kExitUsage
                                          : code == ErrorCode::NotFound      ? kExitFailed
                                                                             : kExitUnreachable);
  }
  return requeued.failed.empty() ? kExitDone : kExitFailed;
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
      "by itself.\nExit status: 0 done, 1 nothing has that id, or a task could not be submitted "
      "again, 2 usage, 3 no broker or not the rights.");
  add(*dead, action, "list", "What is there, the oldest first", list);
  add(*dead, action, "show", "One of them with its history, as JSON", show_one);
  add(*dead, action, "requeue", "Submit a failed task again, under a new id", requeue);
}

}  // namespace juggler
