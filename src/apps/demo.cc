#include "apps/demo.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/demo_check.h"
#include "apps/demo_sets.h"
#include "apps/flags.h"
#include "apps/json_fields.h"
#include "apps/json_output.h"
#include "apps/outcome_table.h"
#include "apps/photo_sources.h"
#include "apps/pictures.h"
#include "apps/query_tables.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

constexpr Micros kAnswerMax = seconds(5);
constexpr Micros kOutcomeMax = seconds(30);
constexpr Micros kIdleMax = seconds(5);
constexpr Micros kIdleAsk = milliseconds(50);
constexpr std::size_t kExplainedRows = 3;  // per group, of the short explanation

struct Photo {
  std::filesystem::path file;
  std::vector<std::string> truth;
};

Result<std::vector<Photo>> load_photos(const std::filesystem::path& folder) {
  const Result<std::vector<std::filesystem::path>> files = list_pictures({folder});
  if (!files) {
    return files.error();
  }
  const auto sources = load_photo_sources(folder);
  if (!sources) {
    return sources.error();
  }
  std::vector<Photo> photos;
  for (const std::filesystem::path& file : *files) {
    const auto source = sources->find(file.filename().string());
    photos.push_back(
        {file, source != sources->end() ? source->second.truth : std::vector<std::string>{}});
  }
  // Those with a known truth first: the short sets show them.
  std::stable_sort(photos.begin(), photos.end(), [](const Photo& a, const Photo& b) {
    return !a.truth.empty() && b.truth.empty();
  });
  return photos;
}

// What is said before the table: what of it is real.
void print_title(const nlohmann::json& models, const Demonstration& demonstration) {
  std::string text =
      "Photographs classified by a fleet. Real: RabbitMQ and its messages, the networks of all "
      "labels (ONNX Runtime, on this machine)";
  if (!demonstration.local_device.empty()) {
    text += fmt::format(", and {} with its measured times", demonstration.local_device);
  }
  text +=
      ". Twins (T): boards whose times and energies come from profiles; the labels of their "
      "answers "
      "were computed on this machine beforehand.";
  if (!any_pretrained(models)) {
    text +=
        " There are no trained weights on this machine, only SYNTHETIC ones: graphs and times are "
        "right, the labels mean nothing. `make models-again` fetches trained ones.";
  }
  text +=
      " Every set runs twice and the second run is shown: in the first, devices load the networks.";
  fmt::print("\n{}", paragraph(text, screen_of(STDOUT_FILENO)));
  fmt::print("\n");
  std::fflush(stdout);  // the table takes seconds
}

class Runner {
 public:
  Runner(Client& client, const Demonstration& demonstration, std::vector<Photo> photos)
      : client_(client),
        demonstration_(demonstration),
        photos_(std::move(photos)),
        table_(screen_of(STDOUT_FILENO)) {}

  // Runs one set twice and adds the rows of the second run. Returns what went otherwise than it
  // should; empty: nothing.
  std::string run(const DemoSet& set) {
    const std::size_t count = std::min(set.pictures_max, photos_.size());
    (void)submit(set, count);
    await_idle();
    answers_.push_back(submit(set, count));
    const std::vector<ClientAnswer>& answers = answers_.back();
    if (answers_.size() > 1) {
      table_.section("");
    }
    table_.section(set.title);
    if (set.show == DemoSet::Show::Grouped) {
      table_.add_grouped(answers);
    } else {
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const Photo& photo = photos_[i % count];
        table_.add({photo.file.stem().string(), &answers[i], photo.truth});
        count_label(answers[i], photo);
      }
    }
    const DemoVerdict verdict = judge(set, answers_);
    if (!verdict.hindrance.empty()) {
      table_.note(verdict.hindrance);
    }
    if (demonstration_.json) {
      print_set(set, verdict);
    }
    return verdict.problem;
  }

  std::string table() const { return table_.text(); }

  // Of the answers about photographs whose right label is known: how many had it.
  int known() const { return known_; }
  int right() const { return right_; }

  // The task whose decision is worth explaining: the first of the second set.
  std::string explained() const {
    for (const std::size_t set : {std::size_t{1}, std::size_t{0}}) {
      if (set < answers_.size() && !answers_[set].empty() && completed(answers_[set].front())) {
        return answers_[set].front().outcome.key.id;
      }
    }
    return "";
  }

 private:
  // The last one.
  void print_set(const DemoSet& set, const DemoVerdict& verdict) const {
    const std::vector<ClientAnswer>& answers = answers_.back();
    nlohmann::json tasks = nlohmann::json::array();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      tasks.push_back(task_json(files_[i].string(), ids_[i], answers[i]));
    }
    nlohmann::json event{{"title", set.title},
                         {"tasks", std::move(tasks)},
                         {"completed", std::count_if(answers.begin(), answers.end(), completed)}};
    if (!verdict.problem.empty()) {
      event["problem"] = verdict.problem;
    }
    if (!verdict.hindrance.empty()) {
      event["hindrance"] = verdict.hindrance;
    }
    print_event("set", std::move(event));
  }

  void count_label(const ClientAnswer& answer, const Photo& photo) {
    if (!completed(answer) || photo.truth.empty()) {
      return;
    }
    const std::vector<Label>& labels = answer.outcome.labels;
    known_ += 1;
    right_ += !labels.empty() && std::find(photo.truth.begin(), photo.truth.end(),
                                           labels.front().name) != photo.truth.end();
  }

  std::vector<ClientAnswer> submit(const DemoSet& set, std::size_t count) {
    std::vector<ClientTask> tasks;
    files_.clear();
    ids_.clear();
    for (int round = 0; round < set.repeat; ++round) {
      for (std::size_t i = 0; i < count; ++i) {
        const std::filesystem::path file = photos_[i].file;
        files_.push_back(file);
        ids_.push_back(fresh_task_id("demo"));
        tasks.push_back({ids_.back(), set.requirements, [file] { return load_picture(file); }});
      }
    }
    ClientRun options;
    options.outstanding_max = set.show == DemoSet::Show::Each ? 1 : tasks.size();
    options.answer_wait_max = kOutcomeMax;
    options.stop = demonstration_.stop;
    options.notice = [](const std::string& text) {
      fmt::print(stderr, "juggler: {}\n", printable_lines(text));
    };
    return client_.run(tasks, options);
  }

  // A device may still load a network for a task that has expired.
  void await_idle() {
    SystemClock clock;
    const Time until = clock.now() + kIdleMax;
    while (clock.now() < until && !(demonstration_.stop && demonstration_.stop())) {
      const Result<nlohmann::json> answer = client_.ask("devices", "", kAnswerMax);
      std::int64_t busy = 0;
      for (const nlohmann::json& device : answer ? list_of(*answer, "devices") : nlohmann::json()) {
        for (const nlohmann::json& processor : list_of(device, "processors")) {
          busy += integer_of(processor, "in_flight").value_or(0);
        }
      }
      if (busy == 0) {
        return;
      }
      client_.idle(kIdleAsk);
    }
  }

  Client& client_;
  const Demonstration& demonstration_;
  int known_ = 0;
  int right_ = 0;
  std::vector<Photo> photos_;
  OutcomeTable table_;
  std::vector<std::filesystem::path> files_;        // by task, of the last run
  std::vector<std::string> ids_;                    // of the same
  std::vector<std::vector<ClientAnswer>> answers_;  // by set
};

void print_explanation(Client& client, const std::string& task, bool as_json) {
  const Result<nlohmann::json> why = client.ask("explain", task, kAnswerMax);
  if (!why) {
    fmt::print(stderr, "juggler: {}\n", printable_lines(why.error().message));
    return;
  }
  if (as_json) {
    print_event("explanation", *why);
    return;
  }
  fmt::print("\nWhy? `juggler explain {}`, in short:\n", task);
  fmt::print("{}", explain_text(*why, screen_of(STDOUT_FILENO),
                                {.all = false, .rows_max = kExplainedRows}));
}

// What was not as it should be, one line each; nothing where it was stopped.
std::optional<std::string> run_sets(Runner& runner, const std::vector<DemoSet>& sets,
                                    const Demonstration& demonstration) {
  std::string unexpected;
  for (const DemoSet& set : sets) {
    if (demonstration.stop && demonstration.stop()) {
      return std::nullopt;
    }
    if (const std::string problem = runner.run(set); !problem.empty()) {
      unexpected += fmt::format("\n  {}: {}", set.title, problem);
    }
  }
  return unexpected;
}

}  // namespace

DemonstrationEnd run_demonstration(Client& client, const Demonstration& demonstration) {
  Result<std::vector<Photo>> photos = load_photos(demonstration.photos);
  if (!photos) {
    return {kExitFailed, "no demonstration: " + photos.error().message};
  }
  const Result<nlohmann::json> models = client.ask("models", "", kAnswerMax);
  if (!models) {
    return {kExitUnreachable, "no demonstration: " + models.error().message};
  }
  const std::vector<DemoSet> sets = demo_sets(*models, demonstration.local_device, photos->size());
  if (sets.empty()) {
    return {kExitFailed, "no demonstration: no device serves the model that `auto` means"};
  }
  if (!demonstration.json) {
    print_title(*models, demonstration);
  }
  Runner runner(client, demonstration, std::move(*photos));
  std::optional<std::string> unexpected = run_sets(runner, sets, demonstration);
  if (!unexpected.has_value()) {
    return {kExitFailed};
  }
  if (!demonstration.json) {
    fmt::print("{}", runner.table());
  }
  if (const std::string task = runner.explained(); !task.empty()) {
    print_explanation(client, task, demonstration.json);
  }
  std::fflush(stdout);
  if (demonstration.labels_wanted && any_pretrained(*models) &&
      2 * runner.right() < runner.known()) {
    *unexpected += fmt::format("\n  {} of {} labels right: <home>/logs/labels.log may say why",
                               runner.right(), runner.known());
  }
  if (!unexpected->empty()) {
    return {kExitFailed, "not as it should be:" + *unexpected};
  }
  return {kExitDone};
}

}  // namespace juggler
