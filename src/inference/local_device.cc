#include "inference/local_device.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "files/board_profile.h"
#include "files/catalogue.h"
#include "inference/machine.h"
#include "inference/noop_engine.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/twin_engine.h"
#include "inference/twin_labels.h"

namespace juggler {
namespace {

constexpr const char* kCpu = "cpu0";

// The ids that serve one of `wanted`; all where nothing is wanted.
std::vector<std::string> chosen_variants(const Catalogue& catalogue,
                                         const std::vector<std::string>& wanted) {
  std::vector<std::string> ids;
  for (const CatalogueVariant& entry : catalogue.variants()) {
    const bool serves =
        wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
          return answers(entry.variant, name);
        });
    if (serves) {
      ids.push_back(entry.variant.id);
    }
  }
  return ids;
}

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

// The board's own statement, or the largest power among its CPU's rows.
std::optional<BusyPower> busy_power(const BoardProfile& board) {
  std::optional<BusyPower> largest = board.busy;
  if (largest.has_value()) {
    return largest;
  }
  for (const Processor& processor : board.processors) {
    for (const Profile& profile : processor.profiles) {
      const std::optional<BusyPower> power = power_of(profile.points.front());
      if (processor.kind == ProcessorKind::Cpu && power.has_value() &&
          (!largest.has_value() || power->value > largest->value)) {
        largest = power;
      }
    }
  }
  return largest;
}

// Checks what we are about to announce as strictly as the controller will.
Result<LocalDevice> checked(LocalDevice device) {
  if (Result<void> ok = validate(device.facts); !ok) {
    return ok.error();
  }
  return device;
}

DeviceFacts facts_of(const DeviceIdentity& identity, const Machine& machine) {
  DeviceFacts facts;
  facts.id = identity.id;
  facts.incarnation = identity.incarnation;
  facts.board = machine.board;
  facts.title = machine.title;
  facts.memory = machine.memory;
  return facts;
}

Processor onnx_processor(const Calibration& calibration, const std::vector<std::string>& variants,
                         const std::optional<BusyPower>& busy) {
  Processor processor;
  processor.id = kCpu;
  processor.kind = ProcessorKind::Cpu;
  processor.runtime =
      fmt::format("ONNX Runtime {}, CPU, {} thread{}", calibration.on.runtime_version,
                  calibration.on.threads, calibration.on.threads == 1 ? "" : "s");
  const std::set<std::string> wanted(variants.begin(), variants.end());
  for (Profile profile : calibration.profiles) {
    if (!wanted.contains(profile.variant)) {
      continue;
    }
    for (ProfilePoint& point : profile.points) {
      if (busy.has_value()) {
        point.energy = energy_over(*busy, point.latency_mean);
      }
      processor.batch_max = std::max(processor.batch_max, point.batch);
    }
    processor.profiles.push_back(std::move(profile));
  }
  return processor;
}

// Keeps the profiles whose variants the catalogue can describe, and collects those variants.
void keep_described(const Catalogue& catalogue, Processor& processor, LocalDevice& device) {
  std::vector<Profile> kept;
  for (Profile& profile : processor.profiles) {
    const std::optional<Variant> variant = catalogue.describe(profile.variant);
    if (!variant.has_value()) {
      const std::string note = processor.id + "/" + profile.variant +
                               ": left out, its network is not in the model catalogue";
      spdlog::info("twin {}: {}", device.facts.id, note);
      device.notes.push_back(note);
      continue;
    }
    kept.push_back(std::move(profile));
    std::vector<Variant>& variants = device.facts.variants;
    const auto at =
        std::lower_bound(variants.begin(), variants.end(), variant->id,
                         [](const Variant& v, const std::string& id) { return v.id < id; });
    if (at == variants.end() || at->id != variant->id) {
      variants.insert(at, *variant);
    }
  }
  processor.profiles = std::move(kept);
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

Result<LocalDevice> open_onnx_device(const OnnxDeviceOptions& options) {
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(options.home); !runtime) {
    return runtime.error();
  }
  Result<Catalogue> catalogue = Catalogue::load(options.home);
  if (!catalogue) {
    return catalogue.error();
  }
  if (Result<void> known = check_variants(*catalogue, options.variants); !known) {
    return known.error();
  }
  const Machine machine = read_machine(options.host_root);
  const std::vector<std::string> variants = chosen_variants(*catalogue, options.variants);
  Result<CalibrationSummary> calibrated =
      calibrate(*catalogue, machine,
                {options.home, options.identity.id, variants, options.calibration_budget,
                 options.threads, options.allow_spinning, options.progress, options.stop});
  if (!calibrated) {
    return calibrated.error();
  }

  LocalDevice device;
  device.facts = facts_of(options.identity, machine);
  device.notes = std::move(calibrated->left);
  std::optional<BusyPower> busy;
  if (const Result<BoardProfile> board = find_board_profile(machine.board, options.home)) {
    busy = busy_power(*board);
    device.facts.idle = board->idle;
    device.facts.to_board_input = board->to_board_input;
  } else {
    device.notes.push_back("no energy figures: " + board.error().message);
  }
  Processor processor = onnx_processor(calibrated->calibration, variants, busy);
  for (const Profile& profile : processor.profiles) {
    device.facts.variants.push_back(catalogue->find(profile.variant)->variant);
  }
  device.facts.processors.push_back(std::move(processor));

  Result<std::unique_ptr<InferenceEngine>> engine = make_onnx_engine(
      std::move(*catalogue),
      {options.home, calibrated->calibration.on.threads, options.allow_spinning, busy});
  if (!engine) {
    return engine.error();
  }
  device.engines[kCpu] = std::move(*engine);
  return checked(std::move(device));
}

Result<LocalDevice> open_twin_device(const TwinDeviceOptions& options) {
  Result<BoardProfile> board = find_board_profile(options.board, options.home);
  if (!board) {
    return board.error();
  }
  if (board->processors.empty() || board->memory == Bytes{0}) {
    return fail(ErrorCode::InvalidArgument,
                "the profile of '" + options.board + "' has no processor or memory: no twin of it");
  }
  Result<Catalogue> catalogue = Catalogue::load(options.home);
  if (!catalogue) {
    return catalogue.error();
  }
  std::shared_ptr<const TwinLabels> labels;
  if (!options.labels.empty()) {
    Result<TwinLabels> loaded = TwinLabels::load(options.labels);
    if (!loaded) {
      return loaded.error();
    }
    labels = std::make_shared<const TwinLabels>(std::move(*loaded));
  }
  LocalDevice device;
  device.facts.id = options.identity.id;
  device.facts.incarnation = options.identity.incarnation;
  device.facts.board = board->board;
  device.facts.title = board->title;
  device.facts.twin = true;
  device.facts.memory = board->memory;
  device.facts.idle = board->idle;
  device.facts.to_board_input = board->to_board_input;
  std::uint64_t seed = options.seed;
  for (Processor& processor : board->processors) {
    keep_described(*catalogue, processor, device);
    device.engines[processor.id] =
        make_twin_engine({processor, device.facts.variants, *catalogue, labels, seed++, nullptr});
    device.facts.processors.push_back(std::move(processor));
  }
  if (device.facts.variants.empty()) {
    return fail(ErrorCode::NotFound,
                "twin of '" + options.board + "': the model catalogue has none of its variants");
  }
  return checked(std::move(device));
}

Result<LocalDevice> open_noop_device(const NoopDeviceOptions& options) {
  LocalDevice device;
  device.facts = facts_of(options.identity, read_machine());
  device.facts.variants.push_back(noop_variant());
  Profile profile;
  profile.variant = kNoopVariant;
  profile.points.push_back({1, Micros{100}, Micros{200}, std::nullopt});
  profile.source = "the no-op engine hashes the payload and computes nothing";
  Processor processor;
  processor.id = kCpu;
  processor.runtime = "no-op";
  processor.window_batches = options.window_batches;
  processor.batch_max = options.batch_max;
  processor.profiles.push_back(std::move(profile));
  device.facts.processors.push_back(std::move(processor));
  device.engines[kCpu] = make_noop_engine();
  return checked(std::move(device));
}

}  // namespace juggler
