#include "apps/profile_lanes.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "apps/power_mode.h"
#include "files/board_profile.h"
#include "files/lanes_file.h"
#include "inference/lane.h"
#include "inference/machine.h"
#include "inference/machine_device.h"
#include "inference/twin_engine.h"
#include "telemetry/choose_meter.h"

namespace juggler {
namespace {

// 1, 2, 4, … and all cores.
std::vector<int> thread_counts(int cores) {
  std::vector<int> counts;
  for (int threads = 1; threads < cores; threads *= 2) {
    counts.push_back(threads);
  }
  counts.push_back(cores);
  return counts;
}

LaneUnderTest under_test(const PreparedLane& prepared, const std::vector<int>& threads) {
  const CalibrationLane& calibration = prepared.calibration;
  LaneUnderTest lane;
  lane.id = calibration.processor;
  lane.kind = calibration.kind;
  lane.runtime = calibration.runtime;
  lane.variants = prepared.variants;
  // A lane whose threads are its own matter, or were written down, has one number.
  lane.threads = calibration.threads > 0 ? std::vector<int>{calibration.threads} : threads;
  lane.batch_max = calibration.batch_max;
  lane.builds_first = calibration.builds_first;
  lane.make_engine = calibration.make_engine;
  lane.memory = calibration.memory;
  return lane;
}

Result<ProfiledMachine> open_machine(const ProfileFlags& flags, const std::filesystem::path& home) {
  Result<Catalogue> catalogue = Catalogue::load(home);
  if (!catalogue) {
    return catalogue.error();
  }
  if (Result<void> known = check_variants(*catalogue, flags.variants); !known) {
    return known.error();
  }
  Result<std::vector<LaneSpec>> specs =
      flags.lanes.empty() ? lanes_of_machine(home) : load_lanes(flags.lanes);
  if (!specs) {
    return flags.lanes.empty() ? specs.error()
                               : fail(ErrorCode::InvalidArgument, specs.error().message);
  }
  const Machine here = read_machine(flags.host_root);
  ProfiledMachine machine;
  machine.name = flags.name;
  machine.title = here.title;
  machine.processor = here.processor;
  machine.memory = here.memory;
  machine.mode = mode_now(flags.host_root);
  machine.catalogue = std::move(*catalogue);
  if (const Result<BoardProfile> board = find_board_profile(here.board, home)) {
    machine.published = board->processors;
    machine.to_board_input = board->to_board_input;
  }
  const std::vector<int> threads =
      flags.threads.empty() ? thread_counts(here.cores) : flags.threads;
  const int batch_max = *std::max_element(flags.batches.begin(), flags.batches.end());
  std::set<std::string> opened;
  for (LaneSpec& spec : *specs) {
    if (opened.contains(spec.processor)) {
      continue;
    }
    if (spec.batch_max == 0 && spec.kind == ProcessorKind::Cpu &&
        spec.engine != LaneEngine::External) {
      spec.batch_max = batch_max;  // nothing of the CPU's own forbids it
    }
    Result<PreparedLane> prepared = prepare_lane(
        spec, {home, "profile", &machine.catalogue, flags.variants, 0, /*allow_spinning=*/false});
    if (!prepared) {
      machine.notes.push_back(fmt::format("{} by {}: {}", spec.processor, to_string(spec.engine),
                                          prepared.error().message));
      continue;
    }
    machine.notes.insert(machine.notes.end(), prepared->notes.begin(), prepared->notes.end());
    machine.lanes.push_back(under_test(*prepared, threads));
    opened.insert(spec.processor);
  }
  if (machine.lanes.empty()) {
    return fail(ErrorCode::Unavailable, machine.notes.front());
  }
  return machine;
}

Result<ProfiledMachine> open_twin(const ProfileFlags& flags, const std::filesystem::path& home) {
  Result<BoardProfile> board = find_board_profile(flags.twin, home);
  if (!board) {
    return fail(ErrorCode::InvalidArgument, board.error().message);
  }
  ProfiledMachine machine;
  machine.name = board->board;
  machine.title = "Twin of " + board->title;
  machine.processor = "twin of " + board->board;
  machine.memory = board->memory;
  machine.curves = board->curves;
  machine.energy_absent = "of a twin: its profile's, which it does not measure";
  std::uint64_t seed = 1;
  for (std::size_t p = 0; p < board->processors.size(); ++p) {
    const Processor& processor = board->processors[p];
    LaneUnderTest lane;
    lane.slowdowns = board->slowdowns[p];
    lane.id = processor.id;
    lane.kind = processor.kind;
    lane.runtime = processor.runtime;
    lane.batch_max = processor.batch_max;
    const auto announced = std::make_shared<const Processor>(processor);
    for (const Profile& profile : announced->profiles) {
      lane.variants.push_back(profile.variant);
    }
    lane.make_engine = [announced, seed](int /*threads*/) {
      TwinEngineOptions options;
      options.processor = *announced;
      options.seed = seed;
      options.sleep_until = [](std::chrono::steady_clock::time_point /*unused*/) {};
      return Result<std::unique_ptr<InferenceEngine>>(make_twin_engine(std::move(options)));
    };
    lane.memory = [] { return Bytes{0}; };
    lane.announced = [announced](const std::string& variant) -> const Profile* {
      const auto at = std::find_if(announced->profiles.begin(), announced->profiles.end(),
                                   [&](const Profile& one) { return one.variant == variant; });
      return at != announced->profiles.end() ? &*at : nullptr;
    };
    machine.lanes.push_back(std::move(lane));
    seed += 1;
  }
  return machine;
}

}  // namespace

void declare_profile_flags(CLI::App& command, ProfileFlags& flags) {
  command.add_option("--home", flags.home, "Folder of models and state")->type_name("DIR");
  command
      .add_option("--lanes", flags.lanes,
                  "Which engine runs on which processor (docs/engines.md); what is here")
      ->type_name("FILE");
  command.add_option("--variants", flags.variants, "These models, networks or variants only")
      ->delimiter(',')
      ->type_name("A,B,...");
  command.add_option("--batches", flags.batches, "Batch sizes; 1,2,4")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->type_name("N,...");
  command.add_option("--threads", flags.threads, "Numbers of threads; 1, 2, 4 and so on to all")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->type_name("N,...");
  command
      .add_option("--twin", flags.twin, "Of this board's twin, in no time: its own profile again")
      ->type_name("KIND");
  command.add_option("--name", flags.name, "Of the profile, and of twins made from it")
      ->type_name("NAME");
  command.add_option("--out", flags.out, "The file; <home>/profiles/NAME.toml")->type_name("FILE");
  command
      .add_option("--device", flags.device,
                  "Also for this device's consumer, in place of its own quick measurements")
      ->type_name("NAME");
  command.add_option("--note", flags.note, "What a reader should know of the conditions")
      ->type_name("TEXT");
  command
      .add_option("--power-modes", flags.power_modes,
                  "Set each of these by nvpmodel, measure it as NAME-MODE, set the first one again")
      ->delimiter(',')
      ->type_name("MODE,...");
  command
      .add_option("--precision", flags.precision_percent,
                  "Half of the mean's 95 % interval, in percent of it; 2")
      ->check(CLI::Range(0.1, 50.0))
      ->type_name("PERCENT");
  add_duration(command, "--time-max", flags.time_max,
               "For one point, then it stays as it is [10s]");
  command.add_flag("--again", flags.again, "Measure anew what the file has");
  add_host_root(command, flags.host_root);
  command.add_option("--meter", flags.meter, std::string("Measures energy: ") + kMeterNames)
      ->type_name("METER")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "One JSON document instead of the tables");
}

MeasuringGoal goal_of(const ProfileFlags& flags) {
  MeasuringGoal goal;
  goal.precision_permille = std::llround(flags.precision_percent * 10);
  goal.time_max = flags.time_max.value_or(goal.time_max);
  return goal;
}

Result<ProfiledMachine> open_profiled(const ProfileFlags& flags,
                                      const std::filesystem::path& home) {
  if (!valid_device_id(flags.name) || !(flags.device.empty() || valid_device_id(flags.device))) {
    return fail(ErrorCode::InvalidArgument,
                "--name and --device take lower-case letters, digits, hyphens");
  }
  if (!flags.twin.empty() && !flags.device.empty()) {
    return fail(ErrorCode::InvalidArgument, "--device is a real one's: leave --twin out");
  }
  if (!flags.power_modes.empty() &&
      !(flags.twin.empty() && flags.device.empty() && flags.out.empty())) {
    return fail(ErrorCode::InvalidArgument,
                "--power-modes makes one profile for each mode of this machine: leave --twin, "
                "--device and --out out");
  }
  return flags.twin.empty() ? open_machine(flags, home) : open_twin(flags, home);
}

}  // namespace juggler
