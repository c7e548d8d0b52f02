// `juggler replay JOURNAL`: the same events through the same controller again; or, with --policy,
// what another one would have done with that traffic.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/quantities.h"
#include "apps/simulation.h"
#include "apps/simulation_flags.h"
#include "apps/version.h"
#include "sim/journal_check.h"
#include "sim/network_table.h"
#include "sim/recorded_traffic.h"
#include "sim/replay.h"

namespace juggler {
namespace {

using nlohmann::json;
using sim::RecordedTraffic;
using sim::ReplayReport;

struct ReplayFlags {
  std::string journal;
  std::string run;
  std::string home;
  std::string network = "lan";
  bool check = false;
  std::vector<std::string> with;
  SimulationChoice choice;
};

std::string when(std::int64_t unix_s) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(unix_s)));
}

std::string hex(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

json replay_json(const JournalReader& journal, const ReplayReport& report) {
  const ControllerStats& stats = report.stats;
  json difference = nullptr;
  if (report.difference.has_value()) {
    difference = {{"place", report.difference->place},
                  {"at_us", report.difference->at.us},
                  {"event", report.difference->event},
                  {"actions", report.difference->actions},
                  {"recorded", hex(report.difference->recorded)},
                  {"replayed", hex(report.difference->replayed)}};
  }
  return {{"run", journal.head().run},
          {"recorded_by", journal.head().juggler},
          {"juggler", version_short()},
          {"policy", journal.head().policy},
          {"simulated", false},
          {"reproduced", report.whole()},
          {"steps", report.steps},
          {"from_checkpoint", report.from_checkpoint},
          {"steps_skipped", report.skipped},
          {"gaps", report.gaps},
          {"actions", report.actions},
          {"duration_us", (report.last - report.first).count},
          {"submitted", stats.submitted},
          {"dispatched", stats.dispatched},
          {"completed", stats.completed},
          {"rejected", stats.rejected},
          {"expired", stats.expired},
          {"failed", stats.failed},
          {"torn", journal.torn()},
          {"ended_early", report.ended_early},
          {"difference", std::move(difference)}};
}

void print_replay(const JournalReader& journal, const ReplayReport& report) {
  const wire::JournalHead& head = journal.head();
  const ControllerStats& stats = report.stats;
  fmt::print("Run {} of {}, policy {}, recorded by juggler {}\n", head.run, when(head.unix_s),
             head.policy, head.juggler);
  fmt::print(
      "{} steps over {} in {} segment{}: {} tasks submitted, {} dispatches; {} completed, "
      "{} rejected, {} expired, {} failed\n",
      report.steps, show(report.last - report.first), journal.segments(),
      journal.segments() == 1 ? "" : "s", stats.submitted, stats.dispatched, stats.completed,
      stats.rejected, stats.expired, stats.failed);
  if (report.from_checkpoint) {
    fmt::print("The first {} segments were deleted: it began at a checkpoint.\n", head.segment - 1);
  }
  if (report.gaps > 0) {
    fmt::print("The journal has {} gap{}: after each it went on at the next checkpoint.\n",
               report.gaps, report.gaps == 1 ? "" : "s");
  }
  if (report.skipped > 0) {
    fmt::print("{} steps before a checkpoint were left out.\n", report.skipped);
  }
  if (journal.torn()) {
    fmt::print("The last line is cut, as a crash leaves it, and was left out.\n");
  }
  if (const auto& difference = report.difference) {
    fmt::print(
        "DIFFERENT at {} (time {} us): {}\n  recorded digest {}, replayed {}; the replay "
        "does:\n",
        difference->place, difference->at.us, difference->event, hex(difference->recorded),
        hex(difference->replayed));
    fmt::print("{}", difference->actions.empty() ? "nothing\n" : difference->actions);
    if (head.juggler != version_short()) {
      fmt::print("This is juggler {}: only the build that recorded a run must do the same.\n",
                 version_short());
    }
  } else if (!report.ended_early.empty()) {
    fmt::print("All of these did the same. What follows cannot be reproduced: {}\n",
               report.ended_early);
  } else {
    fmt::print("Every step did the same again.\n");
  }
  if (journal.runs().size() > 1) {
    fmt::print("{} other runs are in this journal: --run {}\n", journal.runs().size() - 1,
               fmt::join(journal.runs(), ", "));
  }
}

int reproduce(JournalReader& journal, const ReplayFlags& flags) {
  const Result<ReplayReport> report = sim::replay(journal);
  if (!report) {
    return complain(report.error().message, kExitFailed);
  }
  if (flags.choice.json) {
    fmt::print("{}\n",
               replay_json(journal, *report).dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_replay(journal, *report);
  }
  return report->whole() ? kExitDone : kExitFailed;
}

Result<NetworkProfile> network_named(const ReplayFlags& flags) {
  const Result<NetworkTable> table = find_network_table(home_folder(flags.home));
  if (!table) {
    return table.error();
  }
  const auto at = table->find(flags.network);
  if (at != table->end()) {
    return at->second;
  }
  std::string known;
  for (const auto& [name, network] : *table) {
    known += (known.empty() ? "" : ", ") + name;
  }
  return fail(ErrorCode::NotFound, fmt::format("--network: there is no network '{}'; there are: {}",
                                               flags.network, known));
}

std::string note_of(const JournalReader& journal, const RecordedTraffic& traffic,
                    const std::string& network) {
  std::string text = fmt::format(
      "The traffic of {}, recorded under {}: {} tasks in {} class{}. Every row is "
      "simulated, the recorded policy's too:\ndevices as they announced themselves, on "
      "network {}.\n",
      when(journal.head().unix_s), journal.head().policy, traffic.tasks,
      traffic.scenario.classes.size(), traffic.scenario.classes.size() == 1 ? "" : "es", network);
  if (!journal.from_the_start()) {
    text += fmt::format("The first {} segments were deleted: this is what is left.\n",
                        journal.head().segment - 1);
  }
  if (traffic.refused + traffic.repeated > 0) {
    text += fmt::format("Left out: {} submissions that were no tasks, {} sent again.\n",
                        traffic.refused, traffic.repeated);
  }
  if (traffic.steps_missing > 0) {
    text += fmt::format("Gaps in the journal: {} steps are not in it.\n", traffic.steps_missing);
  }
  if (traffic.digits > 0) {
    text += fmt::format("Deadlines and energy limits are rounded down to {} digit{}.\n",
                        traffic.digits, traffic.digits == 1 ? "" : "s");
  }
  return text;
}

int simulate_traffic(JournalReader& journal, const ReplayFlags& flags) {
  spdlog::set_level(spdlog::level::off);  // the shells in the worlds log as live ones do
  const Result<NetworkProfile> network = network_named(flags);
  if (!network) {
    return complain(network.error().message, kExitUsage);
  }
  const Result<RecordedTraffic> traffic = sim::read_traffic(journal, *network);
  if (!traffic) {
    return complain(traffic.error().message, kExitFailed);
  }
  SimulationChoice choice = flags.choice;
  std::vector<std::string>& policies = choice.policies;
  std::erase(policies, journal.head().policy);
  policies.insert(policies.begin(), journal.head().policy);
  return run_simulation(traffic->scenario, choice, note_of(journal, *traffic, flags.network));
}

void print_check(const sim::JournalVerdict& verdict) {
  fmt::print("{} steps of {} run{} held to the promises\n", verdict.steps, verdict.runs,
             verdict.runs == 1 ? "" : "s");
  for (const std::string& complaint : verdict.complaints) {
    fmt::print("BROKEN {}\n", complaint);
  }
  for (const std::string& why : verdict.ended_early) {
    fmt::print("NOT ALL {}\n", why);
  }
  for (const std::string& complaint : verdict.unsure) {
    fmt::print("unsure, of a task whose end a killed controller may not have written: {}\n",
               complaint);
  }
  if (verdict.well()) {
    fmt::print("None was broken.\n");
  }
}

int check(const ReplayFlags& flags) {
  std::vector<std::filesystem::path> folders{flags.journal};
  folders.insert(folders.end(), flags.with.begin(), flags.with.end());
  const Result<sim::JournalVerdict> verdict = sim::check_journals(folders);
  if (!verdict) {
    return complain(verdict.error().message, kExitUsage);
  }
  if (flags.choice.json) {
    const json document{{"runs", verdict->runs},
                        {"steps", verdict->steps},
                        {"complaints", verdict->complaints},
                        {"unsure", verdict->unsure},
                        {"ended_early", verdict->ended_early}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_check(*verdict);
  }
  return verdict->well() ? kExitDone : kExitFailed;
}

int replay(const ReplayFlags& flags) {
  if (flags.check) {
    return check(flags);
  }
  Result<JournalReader> journal = JournalReader::open(flags.journal, flags.run);
  if (!journal) {
    return complain(journal.error().message, kExitUsage);
  }
  return flags.choice.policies.empty() ? reproduce(*journal, flags)
                                       : simulate_traffic(*journal, flags);
}

void declare(CLI::App& command, ReplayFlags& flags) {
  command.add_option("journal", flags.journal, "The folder of --journal, or one of its files")
      ->required()
      ->type_name("JOURNAL");
  command.add_option("--run", flags.run, "A start of the controller; the last one")
      ->type_name("RUN");
  CLI::Option* check = command.add_flag(
      "--check", flags.check, "Hold all its runs to the promises, as simulated worlds are");
  command
      .add_option("--with", flags.with,
                  "With --check: the journals of this broker's other controllers, from the same "
                  "machine")
      ->needs(check)
      ->type_name("JOURNAL...");
  SimulationChoice& choice = flags.choice;
  command
      .add_option("--policy", choice.policies,
                  "Simulate the recorded traffic under these, and under the recorded policy; `all`")
      ->delimiter(',')
      ->type_name("NAME,...");
  command.add_option("--goal", choice.goal, "energy, balanced, latency or accuracy")
      ->type_name("GOAL");
  command.add_option("--network", flags.network, "How the devices reach the broker")
      ->capture_default_str()
      ->type_name("NAME");
  command.add_option("--seeds", choice.seeds, "So many seeds of the simulated devices and network")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command.add_option("--bound", choice.bound, "fluid, hindsight (slow) or none")
      ->check(CLI::IsMember({"fluid", "hindsight", "none"}))
      ->type_name("KIND");
  add_run_flags(command, flags.home, choice.jobs);
  command.add_flag("--json", choice.json, "One JSON document instead of the text");
  command.footer(examples({"juggler replay /var/lib/juggler/journal",
                           "juggler replay /var/lib/juggler/journal --policy round-robin",
                           "juggler replay journal --run 20260102T030405Z-77 --policy all",
                           "juggler replay journal-a --check --with journal-b"}) +
                 "\nExit status: 0 done, 1 a step did something else, the journal cannot be "
                 "reproduced, or a\npromise was broken, 2 usage or a file that cannot be read.");
}

}  // namespace

void add_replay_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "replay", "Reproduce a recorded run, or simulate its traffic under another policy");
  const auto flags = std::make_shared<ReplayFlags>();
  declare(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return replay(*flags); }; });
}

}  // namespace juggler
