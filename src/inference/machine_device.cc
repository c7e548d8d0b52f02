#include "inference/machine_device.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/preload.h"
#include "files/board_profile.h"
#include "inference/lane.h"
#include "inference/machine.h"

namespace juggler {
namespace {

// Power above idle by a row of the board's profile: its energy over its time.
std::optional<BusyPower> power_of(const ProfilePoint& point) {
  if (!point.energy.has_value()) {
    return std::nullopt;
  }
  const EnergyFigure& energy = *point.energy;
  const auto over_time = [&](Microjoules e) {
    return Milliwatts{e.count * 1000 / point.latency_mean.count};
  };
  return BusyPower{over_time(energy.value), over_time(energy.low), over_time(energy.high),
                   std::max(energy.evidence, Evidence::Estimated), energy.scope};
}

// The board's own statement, which is its CPU's, or the largest power among the rows of this kind
// of processor.
std::optional<BusyPower> busy_power(const BoardProfile& board, ProcessorKind kind) {
  if (kind == ProcessorKind::Cpu && board.busy.has_value()) {
    return board.busy;
  }
  std::optional<BusyPower> largest;
  for (const Processor& processor : board.processors) {
    for (const Profile& profile : processor.profiles) {
      const std::optional<BusyPower> power = power_of(profile.points.front());
      if (processor.kind == kind && power.has_value() &&
          (!largest.has_value() || power->value > largest->value)) {
        largest = power;
      }
    }
  }
  return largest;
}

// What a lane announces: the variants that are wanted, among those that were measured.
Processor announced(const LaneSpec& lane, const PreparedLane& prepared,
                    const Calibration& calibration, const std::optional<BusyPower>& busy,
                    const ScopeConversion& to_board_input) {
  Processor processor;
  processor.id = lane.processor;
  processor.kind = lane.kind;
  processor.runtime = prepared.calibration.runtime;
  processor.slowed_by = announced_slowdowns(calibration.slowdowns);
  if (lane.kind == ProcessorKind::Cpu && lane.engine != LaneEngine::External) {
    processor.runtime += fmt::format(", {} thread{}", calibration.on.threads,
                                     calibration.on.threads == 1 ? "" : "s");
  }
  const std::set<std::string> wanted(prepared.variants.begin(), prepared.variants.end());
  for (Profile profile : calibration.profiles) {
    if (!wanted.contains(profile.variant)) {
      continue;
    }
    for (ProfilePoint& point : profile.points) {
      // Measured by `juggler profile`, where it can be compared with other boards' figures.
      if (!at_board_input(point.energy, to_board_input).has_value()) {
        point.energy.reset();
      }
      if (!point.energy.has_value() && busy.has_value()) {
        point.energy = energy_over(*busy, point.latency_mean);
      }
      processor.batch_max = std::max(processor.batch_max, point.batch);
    }
    processor.profiles.push_back(std::move(profile));
  }
  return processor;
}

// Opens lanes one after the other and puts them into a device.
class Opener {
 public:
  Opener(const MachineDeviceOptions& options, const Catalogue& catalogue)
      : options_(options), catalogue_(catalogue), machine_(read_machine(options.host_root)) {
    device_.facts = machine_facts(options.identity, machine_);
    const Result<BoardProfile> board = find_board_profile(machine_.board, options.home);
    if (board) {
      device_.facts.idle = board->idle;
      device_.facts.to_board_input = board->to_board_input;
      board_ = *board;
    } else {
      device_.facts.to_board_input.from = PowerScope::BoardInput;  // nothing else is converted
      device_.notes.push_back("no energy figures: " + board.error().message);
    }
  }

  Result<void> open(const LaneSpec& lane) {
    Result<PreparedLane> prepared =
        prepare_lane(lane, {options_.home, options_.identity.id, &catalogue_, options_.variants,
                            options_.threads, options_.allow_spinning});
    if (!prepared) {
      return prepared.error();
    }
    Result<CalibrationSummary> calibrated =
        calibrate(catalogue_, machine_,
                  {options_.home, options_.identity.id, prepared->calibration, prepared->variants,
                   options_.calibration_budget, options_.progress, options_.stop, options_.mode});
    if (!calibrated) {
      return calibrated.error();
    }
    const std::optional<BusyPower> busy =
        board_.has_value() ? busy_power(*board_, lane.kind) : std::nullopt;
    Result<std::unique_ptr<InferenceEngine>> engine = prepared->make_engine(
        {calibrated->calibration.on.threads, busy, memory_rules(calibrated->calibration)});
    if (!engine) {
      return engine.error();
    }
    add(announced(lane, *prepared, calibrated->calibration, busy, device_.facts.to_board_input),
        std::move(*engine));
    note(prepared->notes);
    note(calibrated->left);
    return {};
  }

  // What is measured of a variant is what it needs; what is free is asked anew each time.
  MemoryRules memory_rules(const Calibration& calibration) const {
    std::map<std::string, Bytes> needs;
    for (const Profile& profile : calibration.profiles) {
      needs[profile.variant] = profile.memory;
    }
    MemoryRules rules;
    rules.free = [root = options_.host_root] { return read_machine(root).memory; };
    rules.needs = [needs](const std::string& variant) {
      const auto at = needs.find(variant);
      return at != needs.end() ? at->second : Bytes{0};
    };
    return rules;
  }

  bool has(const std::string& processor) const { return device_.engines.contains(processor); }
  void note(const std::vector<std::string>& notes) {
    device_.notes.insert(device_.notes.end(), notes.begin(), notes.end());
  }
  LocalDevice take() {
    drop_absent_slowdowns(device_.facts.processors);
    return std::move(device_);
  }

 private:
  void add(Processor processor, std::unique_ptr<InferenceEngine> engine) {
    std::vector<Variant>& variants = device_.facts.variants;
    for (const Profile& profile : processor.profiles) {
      const auto at =
          std::lower_bound(variants.begin(), variants.end(), profile.variant,
                           [](const Variant& v, const std::string& id) { return v.id < id; });
      if (at == variants.end() || at->id != profile.variant) {
        variants.insert(at, catalogue_.find(profile.variant)->variant);
      }
    }
    device_.engines[processor.id] = std::move(engine);
    std::vector<Processor>& processors = device_.facts.processors;
    const auto at =
        std::lower_bound(processors.begin(), processors.end(), processor.id,
                         [](const Processor& p, const std::string& id) { return p.id < id; });
    processors.insert(at, std::move(processor));
  }

  const MachineDeviceOptions& options_;
  const Catalogue& catalogue_;
  const Machine machine_;
  std::optional<BoardProfile> board_;
  LocalDevice device_;
};

// What cannot be loaded now is left to the first task that needs it, which hears why.
void preload(LocalDevice& device, const std::function<bool()>& stop) {
  const std::vector<std::vector<std::string>> chosen = preload_set(device.facts);
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    Processor& processor = device.facts.processors[p];
    InferenceEngine& engine = *device.engines.at(processor.id);
    for (const std::string& variant : chosen[p]) {
      if (stop && stop()) {
        return;
      }
      if (Result<void> loaded = engine.load(variant); !loaded) {
        spdlog::warn("{}/{}: not loaded ahead: {}", processor.id, variant, loaded.error().message);
        continue;
      }
      processor.loaded.push_back(variant);
    }
    std::sort(processor.loaded.begin(), processor.loaded.end());
  }
}

}  // namespace

Result<void> check_variants(const Catalogue& catalogue, const std::vector<std::string>& wanted) {
  const std::vector<CatalogueVariant>& known = catalogue.variants();
  for (const std::string& name : wanted) {
    const bool there = std::any_of(known.begin(), known.end(), [&](const CatalogueVariant& entry) {
      return answers(entry.variant, name);
    });
    if (!there) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("--variants: the catalogue has no model, network or variant '{}' "
                              "(see `juggler models`)",
                              name));
    }
  }
  return {};
}

Result<LocalDevice> open_machine_device(const MachineDeviceOptions& options) {
  Result<Catalogue> catalogue = Catalogue::load(options.home);
  if (!catalogue) {
    return catalogue.error();
  }
  if (Result<void> known = check_variants(*catalogue, options.variants); !known) {
    return known.error();
  }
  std::vector<LaneSpec> lanes = options.lanes;
  if (lanes.empty()) {
    Result<std::vector<LaneSpec>> found = lanes_of_machine(options.home);
    if (!found) {
      return found.error();
    }
    lanes = std::move(*found);
  }
  Opener opener(options, *catalogue);
  std::optional<Error> first;
  for (const LaneSpec& lane : lanes) {
    if (opener.has(lane.processor)) {
      continue;  // by a better engine
    }
    if (Result<void> opened = opener.open(lane); !opened) {
      if (options.stop && options.stop()) {
        return opened.error();
      }
      spdlog::warn("{} by {}: left out: {}", lane.processor, to_string(lane.engine),
                   opened.error().message);
      opener.note({fmt::format("{} by {}: left out: {}", lane.processor, to_string(lane.engine),
                               opened.error().message)});
      first = first.value_or(opened.error());
    }
  }
  LocalDevice device = opener.take();
  if (device.engines.empty()) {
    return *first;
  }
  if (options.preload) {
    preload(device, options.stop);
  }
  return checked_device(std::move(device));
}

}  // namespace juggler
