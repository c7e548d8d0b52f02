#include "inference/local_device.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/preload.h"
#include "files/board_profile.h"
#include "inference/machine.h"
#include "inference/noop_engine.h"
#include "inference/twin_engine.h"
#include "inference/twin_labels.h"

namespace juggler {
namespace {

constexpr const char* kCpu = "cpu0";

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

Result<LocalDevice> checked_device(LocalDevice device) {
  if (Result<void> ok = validate(device.facts); !ok) {
    return ok.error();
  }
  return device;
}

DeviceFacts machine_facts(const DeviceIdentity& identity, const Machine& machine) {
  DeviceFacts facts;
  facts.id = identity.id;
  facts.incarnation = identity.incarnation;
  facts.board = machine.board;
  facts.title = machine.title;
  facts.memory = machine.memory;
  return facts;
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
  for (Processor& processor : board->processors) {
    keep_described(*catalogue, processor, device);
    device.facts.processors.push_back(std::move(processor));
  }
  drop_absent_slowdowns(device.facts.processors);
  state_preloads(device.facts);
  std::uint64_t seed = options.seed;
  const auto memory = std::make_shared<TwinMemory>(device.facts.memory);
  device.board = twin_board(device.facts.processors, board->curves);
  for (std::size_t p = 0; p < device.facts.processors.size(); ++p) {
    const Processor& processor = device.facts.processors[p];
    device.engines[processor.id] = make_twin_engine({.processor = processor,
                                                     .variants = device.facts.variants,
                                                     .catalogue = *catalogue,
                                                     .labels = labels,
                                                     .seed = seed++,
                                                     .memory = memory,
                                                     .board = device.board,
                                                     .position = p});
  }
  if (device.facts.variants.empty()) {
    return fail(ErrorCode::NotFound,
                "twin of '" + options.board + "': the model catalogue has none of its variants");
  }
  return checked_device(std::move(device));
}

Result<LocalDevice> open_noop_device(const NoopDeviceOptions& options) {
  LocalDevice device;
  device.facts = machine_facts(options.identity, read_machine());
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
  return checked_device(std::move(device));
}

}  // namespace juggler
