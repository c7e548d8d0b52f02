// `juggler profile`: what each variant costs on each processor of this machine, or of a twin, as a
// file that twins and controllers read; and `juggler profile compare`, two such files side by side.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "apps/commands.h"
#include "apps/device_telemetry.h"
#include "apps/places.h"
#include "apps/profile_keep.h"
#include "apps/profile_lanes.h"
#include "apps/profile_modes.h"
#include "apps/profile_text.h"
#include "apps/stop_signals.h"
#include "files/board_profile.h"
#include "inference/machine_profiler.h"
#include "inference/slowdown_profiler.h"
#include "runtime/clock.h"
#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/host_sampler.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kIdleWindow{2};
constexpr Micros kRestWindow = seconds(12);  // with a meter, before and after

// Two seconds of doing nothing: what else computes here.
IdleState look_at_idle(const std::string& root) {
  DiskFiles host(root);
  DiskFiles own;
  HostProbes probes(host, own, discover(host, own), nullptr);
  SystemClock clock;
  static_cast<void>(probes.sample(clock.now()));
  std::this_thread::sleep_for(kIdleWindow);
  const HostSample sample = summary_of(probes.sample(clock.now()));
  return {sample.cpu_load_permille, sample.temperature_millicelsius};
}

std::string idle_words(const IdleState& idle) {
  std::string words =
      idle.load_permille.has_value()
          ? fmt::format("{:.0f} % load", static_cast<double>(*idle.load_permille) / 10)
          : "load unknown";
  if (idle.temperature_millicelsius.has_value()) {
    words += fmt::format(", {:.0f} C", static_cast<double>(*idle.temperature_millicelsius) / 1000);
  }
  return words;
}

std::string energy_words(const MachineProfile& profile) {
  if (!profile.meter.has_value()) {
    return "none. " + profile.energy_absent;
  }
  const ProfileMeter& meter = *profile.meter;
  std::string words = fmt::format("above idle, by {} ({}, {})", meter.name,
                                  to_string(meter.evidence), to_string(meter.scope));
  if (meter.at_rest.has_value()) {
    const auto watts = [](Milliwatts power) { return static_cast<double>(power.count) / 1000; };
    words += fmt::format("; at rest {:.2f} W [{:.2f}-{:.2f}]", watts(meter.at_rest->value),
                         watts(meter.at_rest->low), watts(meter.at_rest->high));
  }
  return words;
}

void show_point(std::size_t done, std::size_t total, const std::string& doing) {
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r\x1b[K{} of {}: {}", done + 1, total, doing);
    std::fflush(stderr);
  }
}

void end_line() {
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r\x1b[K");
  }
}

std::size_t rough_points(const MachineProfile& profile, const MeasuringGoal& goal) {
  std::size_t rough = 0;
  for (const auto& [lane_id, lane] : profile.lanes) {
    for (const auto& [id, variant] : lane.variants) {
      rough += static_cast<std::size_t>(
          std::count_if(variant.points.begin(), variant.points.end(),
                        [&goal](const MeasuredPoint& point) { return !point.precise(goal); }));
    }
  }
  return rough;
}

void print_result(const ProfileFlags& flags, const MachineProfile& profile,
                  const std::vector<std::string>& strange, const std::vector<std::string>& left,
                  const fs::path& file) {
  const Screen screen = screen_of(STDOUT_FILENO);
  if (flags.json) {
    nlohmann::json document = profile_json(profile);
    document["doubts"] = strange;
    document["left_out"] = left;
    document["file"] = file.string();
    fmt::print("{}\n", document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{}\n", profile_table(profile, screen));
  if (const std::size_t rough = rough_points(profile, goal_of(flags)); rough > 0) {
    fmt::print("{}",
               paragraph(fmt::format("{} points are known less well than +-{:g} %: their time "
                                     "was up (--time-max).",
                                     rough, flags.precision_percent),
                         screen));
  }
  for (const std::string& one : slowdown_sentences(profile)) {
    fmt::print("{}", paragraph(one, screen));
  }
  fmt::print("{}", paragraph("Energy: " + energy_words(profile), screen));
  if (const std::string mode = mode_words(profile.mode); !mode.empty()) {
    fmt::print("{}", paragraph("Set meanwhile: " + mode + ".", screen));
  }
  if (flags.twin.empty()) {
    fmt::print("{}", paragraph(fmt::format("Idle before: {}. Idle after: {}.",
                                           idle_words(profile.before), idle_words(profile.after)),
                               screen));
  }
  if (!profile.curves.flat()) {
    fmt::print("{}",
               paragraph("Warm-up and heat: as the file had them, and not measured. The times "
                         "above are of a warm and cool board.",
                         screen));
  }
  for (const std::string& one : strange) {
    fmt::print("{}", paragraph("Looks wrong: " + one, screen));
  }
  for (const std::string& one : left) {
    fmt::print("{}", paragraph("Left out: " + one, screen));
  }
  if (!file.empty()) {
    fmt::print("{}", paragraph(fmt::format("Kept in {}: `juggler up --twin {}` stands for it.",
                                           file.string(), profile.name),
                               screen));
  }
}

// Null for a twin, which says nothing of the machine that it runs on.
Result<std::unique_ptr<DeviceTelemetry>> open_telemetry(const ProfileFlags& flags,
                                                        MachineProfile& profile) {
  if (!flags.twin.empty()) {
    return std::unique_ptr<DeviceTelemetry>();
  }
  Result<std::unique_ptr<DeviceTelemetry>> telemetry =
      DeviceTelemetry::open(flags.host_root, flags.meter);
  if (telemetry) {
    (*telemetry)->start();
    profile.energy_absent = (*telemetry)->about_meter();
  }
  return telemetry;
}

// Which meter measured the energies of a profile, and what it said of rest.
void note_meter(const RunMeter& meter, const ProfiledMachine& machine, MachineProfile& profile) {
  ProfileMeter note;
  note.name = meter.name();
  note.scope = meter.scope();
  note.evidence = meter.evidence();
  note.at_rest = meter.at_rest();
  if (machine.to_board_input.has_value() && machine.to_board_input->from == meter.scope()) {
    note.to_board_input = machine.to_board_input;
    note.conversion_source = "of the board's published profile: docs/energy.md#scopes";
  }
  profile.meter = std::move(note);
  profile.energy_absent.clear();
  // What another meter measured in an earlier run is not of this one.
  for (auto& [lane_id, lane] : profile.lanes) {
    for (auto& [id, variant] : lane.variants) {
      for (MeasuredPoint& point : variant.points) {
        if (point.energy.has_value() && point.energy->scope != meter.scope()) {
          point.energy.reset();
          point.power.reset();
        }
      }
    }
  }
}

// Each lane, then each beside each other.
Result<void> measure_lanes(const ProfiledMachine& machine, const ProfilingOptions& options,
                           MachineProfile& profile, std::vector<std::string>& left) {
  for (const LaneUnderTest& lane : machine.lanes) {
    const Result<void> measured = profile_lane(lane, machine.catalogue, options, profile, left);
    end_line();
    if (!measured) {
      return measured;
    }
  }
  const Result<void> together =
      profile_slowdowns(machine.lanes, options, SlowdownGoal{}, profile, left);
  end_line();
  return together;
}

int profile(const ProfileFlags& flags) {
  catch_stop_signals();
  const fs::path home = home_folder(flags.home);
  Result<ProfiledMachine> machine = open_profiled(flags, home);
  if (!machine) {
    return complain(machine.error().message,
                    machine.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed);
  }
  const fs::path file = !flags.out.empty()   ? fs::path(flags.out)
                        : flags.twin.empty() ? home / "profiles" / (machine->name + ".toml")
                                             : fs::path();
  Result<MachineProfile> profile = begin_profile(flags, *machine, file);
  if (!profile) {
    return complain(profile.error().message, kExitUsage);
  }
  const bool real = flags.twin.empty();
  Result<std::unique_ptr<DeviceTelemetry>> telemetry = open_telemetry(flags, *profile);
  if (!telemetry) {
    return complain(telemetry.error().message, telemetry.error().code == ErrorCode::InvalidArgument
                                                   ? kExitUsage
                                                   : kExitFailed);
  }
  const std::unique_ptr<RunMeter> meter =
      *telemetry != nullptr ? (*telemetry)->run_meter() : nullptr;
  profile->before = real ? look_at_idle(flags.host_root) : IdleState{};
  if (meter != nullptr) {
    meter->rest(kRestWindow);
  }
  ProfilingOptions options;
  options.meter = meter.get();
  if (*telemetry != nullptr) {
    options.thermal = [&telemetry] {
      const HostSample now = (*telemetry)->summary();
      return ThermalState{now.temperature_millicelsius, now.throttled.value_or(false)};
    };
  }
  options.batches = flags.batches;
  options.goal = goal_of(flags);
  options.progress = show_point;
  options.stop = [] { return stop_signals() > 0; };
  if (!file.empty()) {
    options.keep = [&file, &meter, &machine](const MachineProfile& made) {
      MachineProfile kept = made;
      if (meter != nullptr) {
        note_meter(*meter, *machine, kept);
      }
      return save_profile(kept, file);
    };
  }
  std::vector<std::string> left = machine->notes;
  if (const Result<void> measured = measure_lanes(*machine, options, *profile, left); !measured) {
    const bool stopped = stop_signals() > 0;
    return complain(!stopped       ? measured.error().message
                    : file.empty() ? "stopped"
                                   : "stopped; what is whole is in " + file.string() +
                                         ", and the next run goes on from there",
                    kExitFailed);
  }
  if (meter != nullptr) {
    meter->rest(kRestWindow);
    note_meter(*meter, *machine, *profile);
  }
  std::erase_if(profile->lanes, [](const auto& lane) { return lane.second.variants.empty(); });
  if (profile->lanes.empty()) {
    return complain(fmt::format("nothing could be measured{}{}", left.empty() ? "" : ":\n  ",
                                fmt::join(left, "\n  ")),
                    kExitFailed);
  }
  profile->after = real ? look_at_idle(flags.host_root) : IdleState{};
  if (!file.empty()) {
    if (Result<void> saved = save_profile(*profile, file); !saved) {
      return complain(saved.error().message, kExitFailed);
    }
  }
  if (!flags.device.empty()) {
    if (Result<void> saved = announce_profile(flags, home, *profile); !saved) {
      return complain(saved.error().message, kExitFailed);
    }
  }
  print_result(flags, *profile, doubts(*profile, machine->catalogue, machine->published), left,
               file);
  return left.size() > machine->notes.size() ? kExitFailed : kExitDone;
}

Result<BoardProfile> named_profile(const std::string& name, const fs::path& home) {
  std::error_code failed;
  return fs::is_regular_file(name, failed) ? load_board_profile(name)
                                           : find_board_profile(name, home);
}

int compare(const ProfileFlags& flags) {
  const fs::path home = home_folder(flags.home);
  const Result<BoardProfile> a = named_profile(flags.a, home);
  const Result<BoardProfile> b = named_profile(flags.b, home);
  if (!a || !b) {
    return complain((a ? b : a).error().message, kExitUsage);
  }
  const Comparison comparison = compare_profiles(*a, *b);
  if (flags.json) {
    fmt::print("{}\n", comparison_json(comparison).dump(1));
  } else {
    fmt::print("A: {}\nB: {}\n\n{}", a->title, b->title,
               comparison_table(comparison, screen_of(STDOUT_FILENO)));
  }
  if (comparison.points.empty()) {
    return complain("the two have no processor, variant and batch in common", kExitFailed);
  }
  return kExitDone;
}

}  // namespace

void add_profile_command(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("profile", "Measure what each variant costs here, on each processor");
  const auto flags = std::make_shared<ProfileFlags>();
  declare_profile_flags(*command, *flags);
  command->footer(
      examples({"juggler profile --variants resnet18,efficientnet_lite0",
                "juggler profile --batches 1,2,4,8 --threads 1,2,4 --precision 1",
                "juggler profile compare this-machine raspberry-pi-5"}) +
      "\nExit status: 0 done, 1 something could not be measured or it was stopped, 2 usage.");
  CLI::App* other = command->add_subcommand("compare", "Two profiles side by side");
  other->add_option("a", flags->a, "A board's name or a file")->required()->type_name("A");
  other->add_option("b", flags->b, "Another")->required()->type_name("B");
  other->add_option("--home", flags->home, "Folder of models and state")->type_name("DIR");
  other->add_flag("--json", flags->json, "One JSON document instead of the table");
  other->callback([flags, &action] { action = [flags] { return compare(*flags); }; });
  add_calibrate_command(*command, action);
  command->require_subcommand(0, 1);
  command->callback([flags, command, &action] {
    if (command->get_subcommands().empty()) {
      action = [flags] { return profile_in_modes(*flags, profile); };
    }
  });
}

}  // namespace juggler
