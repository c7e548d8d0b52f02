// `juggler submit`: pictures to the fleet, one row for each.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/client_session.h"
#include "apps/commands.h"
#include "apps/json_output.h"
#include "apps/outcome_table.h"
#include "apps/pictures.h"
#include "apps/stop_signals.h"
#include "inference/shrink_picture.h"
#include "telemetry/log.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr Micros kAnswerGrace = seconds(10);      // after the deadline an `expired` must come
constexpr Micros kDefaultDeadline = seconds(10);  // what a controller takes unless configured
constexpr Micros kConnectMax = seconds(10);
constexpr Micros kExplainMax = seconds(1);
constexpr std::size_t kExplainTries = 4;

struct SubmitFlags {
  BrokerChoice broker;
  std::vector<std::string> places;
  std::string model = "auto";
  std::optional<MilliPercent> min_accuracy;
  std::optional<Micros> deadline;
  std::optional<Microjoules> max_energy;
  int priority = 0;
  int top_k = 5;
  int shrink = 0;
  std::string device;
  bool allow_synthetic = false;
  int repeat = 1;
  std::size_t outstanding = 32;
  std::optional<Micros> timeout;
  bool json = false;
  std::string log_level = "error";
};

void declare(CLI::App& app, SubmitFlags& flags) {
  app.add_option("pictures", flags.places, "JPEG and PNG files, and folders with such")
      ->required()
      ->type_name("FILE|DIR...");
  app.add_option("--model", flags.model, "auto, or a model, network or variant by name")
      ->capture_default_str();
  app.add_option("--device", flags.device, "This device alone, to try it")->type_name("NAME");
  add_percent(app, "--min-accuracy", flags.min_accuracy,
              "Accuracy floor, percent top-1 (below it: never)");
  add_duration(app, "--deadline", flags.deadline,
               "Time until the outcome, from the controller's receipt");
  add_energy(app, "--max-energy", flags.max_energy, "Energy above idle that one task may take");
  app.add_option("--priority", flags.priority, "0 to 9, 9 most urgent")
      ->check(CLI::Range(0, kPriorityMax))
      ->type_name("N");
  app.add_option("--top-k", flags.top_k, "Labels per picture (all of them with --json)")
      ->check(CLI::Range(1, kTopKMax))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--shrink", flags.shrink,
                 "Reduce pictures whose shorter side has more pixels than this before they are "
                 "sent: networks look at 224 to 260, and 320 are 25 to 50 KB")
      ->check(CLI::Range(kShrinkMin, kShrinkMax))
      ->type_name("PIXELS");
  app.add_flag("--allow-synthetic", flags.allow_synthetic,
               "Variants with synthetic weights may answer too (meaningless labels)");
  app.add_option("--repeat", flags.repeat, "Submit every picture so many times")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app.add_option("--outstanding", flags.outstanding, "Tasks under way at once, at most")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  add_duration(app, "--timeout", flags.timeout,
               "Wait so long for an outcome [the deadline and 10s]");
  add_broker_flags(app, flags.broker);
  app.add_flag("--json", flags.json, "One JSON document instead of the table");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off");
  app.footer(examples({"juggler submit photo.jpg",
                       "juggler submit photos --min-accuracy 76 --deadline 200ms",
                       "juggler submit photos --shrink 320",
                       "juggler submit cat.png --max-energy 50mJ --priority 9",
                       "juggler submit cat.png --model efficientnet_lite1-int8 --json"}) +
             "\nExit status: 0 if every task was completed, 1 if not, 3 no broker or controller.");
}

struct Job {
  std::vector<std::filesystem::path> files;  // one per task
  std::vector<ClientTask> tasks;
};

Job make_job(const std::vector<std::filesystem::path>& files, const SubmitFlags& flags) {
  Requirements wanted;
  wanted.model = flags.model;
  wanted.device = flags.device;
  wanted.min_accuracy = flags.min_accuracy;
  wanted.deadline = flags.deadline;
  wanted.max_energy = flags.max_energy;
  wanted.priority = flags.priority;
  wanted.top_k = flags.top_k;
  wanted.allow_synthetic = flags.allow_synthetic;
  Job job;
  for (int round = 0; round < flags.repeat; ++round) {
    for (const std::filesystem::path& file : files) {
      job.files.push_back(file);
      job.tasks.push_back({fresh_task_id("task"), wanted,
                           [file, shrink = flags.shrink] { return load_picture(file, shrink); }});
    }
  }
  return job;
}

// "12 of 40", rewritten in place; nothing where nobody watches.
class Progress {
 public:
  Progress(std::size_t total, bool shown) : total_(total), shown_(shown) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step() {
    done_ += 1;
    if (shown_) {
      fmt::print(stderr, "\r{} of {} answered\x1b[K", done_, total_);
    }
  }
  void clear() const {
    if (shown_) {
      fmt::print(stderr, "\r\x1b[K");
    }
  }

 private:
  std::size_t total_;
  std::size_t done_ = 0;
  bool shown_;
};

bool completed(const ClientAnswer& answer) {
  return answer.end == ClientEnd::Answered && answer.outcome.kind == OutcomeKind::Completed;
}

void print_json(const Job& job, const std::vector<ClientAnswer>& answers) {
  json list = json::array();
  std::size_t good = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    good += completed(answers[i]) ? 1U : 0U;
    list.push_back(task_json(job.files[i].string(), job.tasks[i].id, answers[i]));
  }
  const json document{{"tasks", std::move(list)}, {"completed", good}};
  fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
}

// A task whose decision the controller has; empty where it has none. What was refused before any
// decision (a picture that is none) has none, and of many tasks the first are forgotten.
std::string explainable(Client& client, const std::vector<ClientAnswer>& answers) {
  std::vector<const ClientAnswer*> candidates;
  const auto first = std::find_if(answers.begin(), answers.end(), completed);
  const auto last = std::find_if(answers.rbegin(), answers.rend(), completed);
  if (first != answers.end()) {
    candidates = {&*first, &*last};
  }
  std::set<std::string> reasons;
  for (const ClientAnswer& answer : answers) {
    const bool other = answer.end == ClientEnd::Answered && !completed(answer);
    if (other && reasons.insert(answer.outcome.reason).second) {
      candidates.push_back(&answer);
    }
  }
  candidates.resize(std::min(candidates.size(), kExplainTries));
  for (const ClientAnswer* answer : candidates) {
    const Result<json> why = client.ask("explain", answer->outcome.key.id, kExplainMax);
    if (why) {
      return answer->outcome.key.id;
    }
    if (why.error().code != ErrorCode::NotFound) {
      break;  // nobody answers
    }
  }
  return "";
}

void print_table(const Job& job, const std::vector<ClientAnswer>& answers,
                 const std::string& explained) {
  OutcomeTable table(screen_of(STDOUT_FILENO));
  std::size_t good = 0;
  std::size_t not_sent = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].end == ClientEnd::NotSent) {
      not_sent += 1;
      continue;
    }
    table.add({job.files[i].filename().string(), &answers[i], {}});
    good += completed(answers[i]) ? 1U : 0U;
  }
  fmt::print("{}", table.text());
  fmt::print("{} of {} completed.", good, answers.size());
  if (not_sent > 0) {
    fmt::print(" Stopped: {} were not submitted.", not_sent);
  }
  if (!explained.empty()) {
    fmt::print(" Why so: juggler explain {}", printable(explained));
  }
  fmt::print("\n");
}

int status_of(const std::vector<ClientAnswer>& answers) {
  const auto is = [](ClientEnd end) {
    return [end](const ClientAnswer& answer) { return answer.end == end; };
  };
  if (std::all_of(answers.begin(), answers.end(), completed)) {
    return kExitDone;
  }
  return std::all_of(answers.begin(), answers.end(), is(ClientEnd::Unroutable)) ? kExitUnreachable
                                                                                : kExitFailed;
}

int submit(const SubmitFlags& flags) {
  if (Result<void> log = set_up_log("juggler", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  const Result<std::vector<std::filesystem::path>> files =
      list_pictures({flags.places.begin(), flags.places.end()});
  if (!files) {
    return complain(files.error().message, kExitUsage);
  }
  Result<std::unique_ptr<ClientSession>> session = open_client(flags.broker);
  if (!session) {
    return complain(session.error().message, session.error().code == ErrorCode::InvalidArgument
                                                 ? kExitUsage
                                                 : kExitUnreachable);
  }
  ClientSession& link = **session;
  // Until something is sent a signal simply ends it: a broker that does not answer holds the
  // connecting for seconds, in calls that look at no signal.
  if (Result<void> connected = link.client->connect(kConnectMax); !connected) {
    return complain(connected.error().message, kExitUnreachable);
  }
  catch_stop_signals();
  stop_signals_wake(link.transport.get());
  const Job job = make_job(*files, flags);
  Progress progress(job.tasks.size(), isatty(STDERR_FILENO) == 1);
  ClientRun run;
  run.outstanding_max = flags.outstanding;
  run.answer_wait_max =
      flags.timeout.value_or(flags.deadline.value_or(kDefaultDeadline) + kAnswerGrace);
  run.ended = [&progress](std::size_t, const ClientAnswer&) { progress.step(); };
  run.stop = [] { return stop_signals() > 0; };
  run.notice = [&progress](const std::string& text) {
    progress.clear();
    fmt::print(stderr, "juggler: {}\n", printable_lines(text));
  };
  const std::vector<ClientAnswer> answers = link.client->run(job.tasks, run);
  progress.clear();
  const std::string explained =
      flags.json || stop_signals() > 0 ? "" : explainable(*link.client, answers);
  stop_signals_wake(nullptr);
  link.transport->close(kClientCloseMax);
  if (flags.json) {
    print_json(job, answers);
  } else {
    print_table(job, answers, explained);
  }
  return status_of(answers);
}

}  // namespace

void add_submit_command(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("submit", "Classify pictures: one row per picture, and how it was done");
  const auto flags = std::make_shared<SubmitFlags>();
  declare(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return submit(*flags); }; });
}

}  // namespace juggler
