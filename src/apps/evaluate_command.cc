// `juggler evaluate [SET|FILE]`: policies x scenarios x seeds, raw results, and a report in HTML.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "apps/commands.h"
#include "apps/progress_line.h"
#include "apps/simulation_flags.h"
#include "apps/version.h"
#include "evaluation/results.h"
#include "evaluation/runs.h"
#include "files/data_folders.h"
#include "runtime/child_process.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;
using evaluation::Evaluation;
using evaluation::ResultRun;
using nlohmann::json;

constexpr DataFolders kReportFolders{"tools/report", "JUGGLER_REPORT"};
constexpr const char* kReportScript = "make_report.py";
constexpr Micros kQuickDuration = seconds(8);
constexpr std::size_t kQuickSeeds = 2;
constexpr Micros kReportMax = seconds(300);

struct EvaluateFlags {
  std::string set = "standard";
  std::string home;
  std::optional<std::size_t> seeds;
  std::string out = "evaluation";
  bool quick = false;
  bool no_report = false;
  std::size_t jobs = 0;
  std::string command;  // as it was given
};

struct Job {
  std::size_t of_case = 0;
  std::string scenario;
  std::optional<double> load{};
  std::string contender;
};

// The jobs, and for each the run that it asks for.
struct Jobs {
  std::vector<Job> jobs;
  std::vector<evaluation::RunRequest> requests;
};

Result<void> add_jobs(const evaluation::EvaluationCase& wanted, std::size_t index,
                      const EvaluateFlags& flags, std::size_t seeds, Jobs& all) {
  std::vector<std::optional<double>> loads(wanted.loads.begin(), wanted.loads.end());
  if (loads.empty()) {
    loads.emplace_back();
  }
  for (const std::string& name : wanted.scenarios) {
    const Result<Scenario> scenario = find_scenario(name, home_folder(flags.home));
    if (!scenario) {
      return scenario.error();
    }
    for (const std::optional<double>& load : loads) {
      evaluation::SeedChoice choice{.seed = scenario->seed, .load = load};
      if (flags.quick) {
        choice.duration = kQuickDuration;
      }
      const auto ready = evaluation::seeded_range(*scenario, choice, seeds);
      if (!ready) {
        return fail(ready.error().code, name + ": " + ready.error().message);
      }
      for (const std::string& contender : wanted.contenders) {
        for (const evaluation::SeededScenario& seeded : *ready) {
          all.jobs.push_back({index, name, load, contender});
          all.requests.push_back({.scenario = seeded, .policy = contender, .bound = wanted.bound});
        }
      }
    }
  }
  return {};
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min);
}

json meta_json(const EvaluateFlags& flags, std::size_t seeds) {
  utsname machine{};
  uname(&machine);
  return {{"command", flags.command},
          {"juggler", version_short()},
          {"version", version_text("juggler")},
          {"date", today()},
          {"machine", fmt::format("{} {} {}, {} processors", machine.sysname, machine.release,
                                  machine.machine, std::thread::hardware_concurrency())},
          {"seeds", seeds},
          {"quick", flags.quick}};
}

Result<void> write_file(const fs::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot write {}: {}; --out names another folder", file.string(),
                            std::strerror(errno)));
  }
  return {};
}

// Where the script lies; empty where it is not.
fs::path report_script(const std::string& home) {
  for (const fs::path& folder : data_folders(kReportFolders, home_folder(home))) {
    std::error_code failed;
    if (fs::exists(folder / kReportScript, failed)) {
      return folder / kReportScript;
    }
  }
  return {};
}

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) {
    variables.emplace_back(*one);
  }
  return variables;
}

std::string contents(const fs::path& file) {
  std::ifstream stream(file);
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

// Debian's own Python has Debian's matplotlib; another may come first on the path.
constexpr std::array<const char*, 2> kPythons{"/usr/bin/python3", "python3"};
constexpr int kNoMatplotlib = 3;  // the script's status

// Runs the script on results.json; what it says goes to report.log.
Result<fs::path> make_report(const EvaluateFlags& flags, const fs::path& out) {
  const fs::path script = report_script(flags.home);
  if (script.empty()) {
    return fail(ErrorCode::NotFound,
                fmt::format("no {}/{} beside the program or above it: the figures are written, the "
                            "report is not; run from a checkout, or give $JUGGLER_REPORT",
                            kReportFolders.folder, kReportScript));
  }
  const fs::path log = out / "report.log";
  const fs::path page = out / "report.html";
  std::error_code ignored;
  for (const char* python : kPythons) {
    fs::remove(log, ignored);
    const Result<pid_t> child = start_child(
        {.program = "/usr/bin/env",
         .arguments = {python, script.string(), (out / "results.json").string(), page.string()},
         .environment = own_environment(),
         .output = log.string(),
         .ends_with_us = true});
    if (!child) {
      return child.error();
    }
    const std::optional<int> status = await_child(*child, kReportMax);
    if (status == 0) {
      fs::remove(log, ignored);
      return page;
    }
    if (!status) {
      end_child(*child, seconds(1));
    }
    if (status != kNoMatplotlib) {
      break;
    }
  }
  const std::string said = contents(log);
  return fail(ErrorCode::Unsupported, said.empty() ? "the report's script failed" : said);
}

// Counts what went wrong and prints it, at most a few lines.
std::size_t complain_of(const Evaluation& evaluation, const std::vector<ResultRun>& runs) {
  constexpr std::size_t kShown = 10;
  std::size_t wrong = 0;
  for (const ResultRun& one : runs) {
    for (const std::string& what : one.run.broken) {
      if (++wrong <= kShown) {
        fmt::print("broken promise in {}, {}, {}, seed {}: {}\n",
                   evaluation.cases[one.of_case].name, one.scenario, one.contender,
                   one.run.scenario->seed, what);
      }
    }
  }
  if (wrong > kShown) {
    fmt::print("… and {} more\n", wrong - kShown);
  }
  return wrong;
}

int write_all(const EvaluateFlags& flags, const Evaluation& evaluation,
              const std::vector<ResultRun>& runs, std::size_t asked, std::size_t seeds) {
  const fs::path out = flags.out;
  std::error_code failed;
  fs::create_directories(out, failed);
  json document = evaluation::results_json(evaluation, runs);
  document["meta"] = meta_json(flags, seeds);
  document["meta"]["complete"] = runs.size() == asked;
  Result<void> written = write_file(out / "results.csv", evaluation::results_csv(evaluation, runs));
  if (written) {
    written = write_file(out / "results.json",
                         document.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  }
  if (!written) {
    return complain(written.error().message, kExitFailed);
  }
  fmt::print("{} of {} runs; {} and {}\n", runs.size(), asked, (out / "results.csv").string(),
             (out / "results.json").string());
  const bool well = complain_of(evaluation, runs) == 0 && runs.size() == asked;
  if (!flags.no_report) {
    const Result<fs::path> page = make_report(flags, out);
    if (!page) {
      return complain("no report: " + page.error().message, kExitFailed);
    }
    fmt::print("report: {}\n", page->string());
  }
  return well ? kExitDone : kExitFailed;
}

int evaluate(const EvaluateFlags& flags) {
  spdlog::set_level(spdlog::level::off);
  Result<Evaluation> evaluation = evaluation::find_evaluation(flags.set, home_folder(flags.home));
  if (!evaluation) {
    return complain(evaluation.error().message, kExitUsage);
  }
  if (flags.quick) {
    std::erase_if(evaluation->cases, [](const auto& one) { return !one.quick; });
    for (evaluation::EvaluationCase& one : evaluation->cases) {
      if (one.bound == evaluation::BoundKind::Hindsight) {
        one.bound = evaluation::BoundKind::Fluid;  // the other takes minutes
      }
    }
  }
  const std::size_t seeds = flags.seeds.value_or(flags.quick ? kQuickSeeds : evaluation->seeds);
  Jobs all;
  for (std::size_t i = 0; i < evaluation->cases.size(); ++i) {
    if (Result<void> added = add_jobs(evaluation->cases[i], i, flags, seeds, all); !added) {
      return complain(added.error().message, kExitUsage);
    }
  }
  const std::size_t asked = all.requests.size();
  auto runs = evaluation::run_all(std::move(all.requests), parallel_options(flags.jobs));
  end_progress();
  if (!runs) {
    return complain(runs.error().message, kExitUsage);
  }
  std::vector<ResultRun> results;
  for (evaluation::Run& run : *runs) {
    const Job& job = all.jobs[run.number];
    if (run.policy != run.scenario->policy) {
      run.unmet.clear();  // expectations are about the scenario's own policy
    }
    results.push_back({job.of_case, job.scenario, job.load, job.contender, std::move(run)});
  }
  return write_all(flags, *evaluation, results, asked, seeds);
}

}  // namespace

void add_evaluate_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "Compare policies over scenarios and seeds: CSV, JSON and a report in HTML");
  const auto flags = std::make_shared<EvaluateFlags>();
  command->add_option("set", flags->set, "A set of evaluations/, or a .toml file; standard")
      ->type_name("SET|FILE");
  command->add_option("--seeds", flags->seeds, "In place of the set's own")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->add_option("--out", flags->out, "Folder of the results; evaluation")->type_name("DIR");
  command->add_flag("--quick", flags->quick,
                    "Only the cases marked quick: 8 s, 2 seeds, the fluid bound");
  command->add_flag("--no-report", flags->no_report, "CSV and JSON only");
  add_run_flags(*command, flags->home, flags->jobs);
  command->footer(examples({"juggler evaluate --quick", "juggler evaluate standard --seeds 10",
                            "juggler evaluate my-question.toml --out answer"}) +
                  "\nThe report needs matplotlib (apt install python3-matplotlib). Exit status: 0 "
                  "done, 1 a promise was\nbroken, it was stopped or there is no report, 2 usage.");
  command->callback([flags, &action] {
    flags->command = "juggler evaluate " + flags->set +
                     (flags->seeds ? fmt::format(" --seeds {}", *flags->seeds) : "") +
                     (flags->quick ? " --quick" : "");
    action = [flags] { return evaluate(*flags); };
  });
}

}  // namespace juggler
