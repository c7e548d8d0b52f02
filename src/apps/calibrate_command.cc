// `juggler profile calibrate`: a line from the load of the cores to the machine's power, against a
// reference meter, for `--meter estimate=FILE` where there is no meter afterwards.

#include <fmt/format.h>
#include <poll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/flags.h"
#include "apps/places.h"
#include "apps/power_mode.h"
#include "apps/profile_keep.h"
#include "apps/stop_signals.h"
#include "apps/table.h"
#include "inference/machine.h"
#include "runtime/clock.h"
#include "telemetry/choose_meter.h"
#include "telemetry/load_calibration.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

struct CalibrateFlags {
  std::string home;
  std::string host_root = "/";
  std::string meter;
  std::string out;
  std::optional<Micros> level_time;
  bool json = false;
};

// False: a signal to stop came meanwhile.
bool wait_or_stop(Micros wait) {
  pollfd entry{stop_signals_fd(), POLLIN, 0};
  if (stop_signals() == 0) {
    ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(wait.count / 1000, 1)));
  }
  return stop_signals() == 0;
}

void show_level(std::size_t level, std::size_t levels, double share) {
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r\x1b[Klevel {} of {}, {:.0f} %", level + 1, levels, share * 100);
    std::fflush(stderr);
  }
}

// Who fitted it, on which board and kernel, against which meter, from how much.
std::string source_words(const Machine& machine, const MeasuredMode& mode, const MeterFacts& meter,
                         std::size_t points) {
  utsname system{};
  const std::string kernel =
      uname(&system) == 0 ? fmt::format("{} {}", system.sysname, system.release) : "kernel unknown";
  const std::string words = mode_words(mode);
  return fmt::format("juggler profile calibrate, {}: against {} ({}) on {}, {}{}{}, {} points",
                     today_iso(), meter.name, to_string(meter.scope), machine.title, kernel,
                     words.empty() ? "" : ", ", words, points);
}

nlohmann::json levels_json(const std::vector<LoadLevel>& levels, const LoadModel& model,
                           const fs::path& file) {
  nlohmann::json rows = nlohmann::json::array();
  for (const LoadLevel& level : levels) {
    const LoadPoint mean = level.mean();
    rows.push_back({{"busy_cores", level.cores},
                    {"load", mean.load},
                    {"watts", mean.watts},
                    {"points", level.points.size()}});
  }
  return {{"levels", rows},
          {"at_rest_mw", model.at_rest.count},
          {"per_load_mw", model.per_load.count},
          {"rmse_mw", model.rmse.count},
          {"scope", to_string(model.scope)},
          {"source", model.source},
          {"file", file.string()}};
}

std::string table_of(const std::vector<LoadLevel>& levels, const Screen& screen) {
  Table table({{.title = "busy cores", .right = true},
               {.title = "load", .right = true},
               {.title = "W", .right = true},
               {.title = "points", .right = true}});
  for (const LoadLevel& level : levels) {
    const LoadPoint mean = level.mean();
    table.row({fmt::format("{:g}", level.cores), fmt::format("{:.0f} %", mean.load * 100),
               fmt::format("{:.2f}", mean.watts), std::to_string(level.points.size())});
  }
  return table.text(screen);
}

int finish(const CalibrateFlags& flags, const std::vector<LoadLevel>& levels,
           const LoadModel& model, const fs::path& file) {
  if (Result<void> saved = save_load_model(model, file); !saved) {
    return complain(saved.error().message, kExitFailed);
  }
  if (flags.json) {
    fmt::print("{}\n", levels_json(levels, model, file).dump(1));
    return kExitDone;
  }
  const Screen screen = screen_of(STDOUT_FILENO);
  const auto watts = [](Milliwatts power) { return static_cast<double>(power.count) / 1000; };
  fmt::print("{}", table_of(levels, screen));
  fmt::print("{}", paragraph(fmt::format("{:.2f} W at rest and {:.2f} W more with all cores busy, "
                                         "give or take {:.2f} W ({}).",
                                         watts(model.at_rest), watts(model.per_load),
                                         watts(model.rmse), to_string(model.scope)),
                             screen));
  fmt::print("{}", paragraph(fmt::format("Kept in {0}: `juggler-consumer --meter estimate={0}` "
                                         "estimates by it.",
                                         file.string()),
                             screen));
  return kExitDone;
}

// Nothing to calibrate with, or by something that is itself a guess.
Result<MeterChoice> open_reference(const CalibrateFlags& flags, const Discovery& found,
                                   HostFiles& host, Mailbox* mailbox) {
  if (flags.meter.starts_with("estimate")) {
    return fail(ErrorCode::InvalidArgument,
                "--meter estimate is no reference: name a meter or a plug, as "
                "shelly=http://HOST");
  }
  Result<MeterChoice> choice = choose_meter(flags.meter, found, host, mailbox, system_nvml());
  if (choice && choice->meter == nullptr) {
    return fail(ErrorCode::InvalidArgument,
                "there is no reference meter (" + choice->why + "): name one by --meter");
  }
  return choice;
}

int calibrate_load(const CalibrateFlags& flags) {
  catch_stop_signals();
  const fs::path file =
      flags.out.empty() ? home_folder(flags.home) / "load-model.toml" : fs::path(flags.out);
  DiskFiles host(flags.host_root);
  DiskFiles own;
  const Discovery found = discover(host, own);
  const std::unique_ptr<Mailbox> mailbox =
      found.family == BoardFamily::RaspberryPi ? make_mailbox() : nullptr;
  Result<MeterChoice> choice = open_reference(flags, found, host, mailbox.get());
  if (!choice) {
    return complain(choice.error().message,
                    choice.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed);
  }
  const Machine machine = read_machine(flags.host_root);
  LoadCalibrationPlan plan;
  plan.levels = load_levels(machine.cores);
  plan.level_time = flags.level_time.value_or(plan.level_time);
  plan.settles = std::min(plan.settles, plan.level_time);
  SystemClock clock;
  BusyCores busy;
  const Result<std::vector<LoadLevel>> levels =
      measure_load_levels(plan, {.meter = *choice->meter,
                                 .host = host,
                                 .load = [&busy](double cores) { busy.set(cores); },
                                 .now = [&clock] { return clock.now(); },
                                 .wait = wait_or_stop,
                                 .progress = show_level});
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r\x1b[K");
  }
  if (!levels) {
    return complain(stop_signals() > 0 ? "stopped; nothing was written"
                                       : levels.error().message + "; nothing was written",
                    kExitFailed);
  }
  std::size_t points = 0;
  for (const LoadLevel& level : *levels) {
    points += level.points.size();
  }
  const MeterFacts& meter = choice->meter->facts();
  const Result<LoadModel> model =
      fit_load_levels(*levels, meter.scope, source_words(machine, mode_of(found), meter, points));
  if (!model) {
    fmt::print(stderr, "{}", table_of(*levels, screen_of(STDERR_FILENO)));
    return complain(model.error().message +
                        ". Let nothing else compute here, measure for longer (--level-time), and "
                        "see that the meter feeds this machine alone; nothing was written",
                    kExitFailed);
  }
  return finish(flags, *levels, *model, file);
}

}  // namespace

void add_calibrate_command(CLI::App& profile, Action& action) {
  CLI::App* command = profile.add_subcommand(
      "calibrate", "Fit power to load against a meter, for machines that will have none");
  const auto flags = std::make_shared<CalibrateFlags>();
  command->add_option("--meter", flags->meter, std::string("The reference: ") + kMeterNames)
      ->required()
      ->type_name("METER");
  command->add_option("--out", flags->out, "The file; <home>/load-model.toml")->type_name("FILE");
  add_duration(*command, "--level-time", flags->level_time, "At each level of load [30s]");
  command->add_option("--home", flags->home, "Folder of models and state")->type_name("DIR");
  add_host_root(*command, flags->host_root);
  command->add_flag("--json", flags->json, "One JSON document instead of the table");
  command->footer(examples({"juggler profile calibrate --meter shelly=http://192.168.1.20",
                            "juggler-consumer --meter estimate=load-model.toml"}) +
                  "\nExit status: 0 done, 1 no line fits, no answer or stopped, 2 usage.");
  command->callback([flags, &action] { action = [flags] { return calibrate_load(*flags); }; });
}

}  // namespace juggler
