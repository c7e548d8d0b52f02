#include "files/lanes_file.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/names.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

constexpr std::array<Named<LaneEngine>, 5> kEngines{{{LaneEngine::Cpu, "cpu"},
                                                     {LaneEngine::Xnnpack, "xnnpack"},
                                                     {LaneEngine::Cuda, "cuda"},
                                                     {LaneEngine::TensorRt, "tensorrt"},
                                                     {LaneEngine::External, "external"}}};
constexpr std::size_t kArgumentsMax = 64;
constexpr std::int64_t kMillisecondsMax = 3'600'000;

std::optional<LaneEngine> parse_engine(std::string_view name) { return value_of(kEngines, name); }

ProcessorKind kind_of(const LaneSpec& lane) {
  if (lane.dla_core.has_value()) {
    return ProcessorKind::Dla;
  }
  return lane.engine == LaneEngine::Cuda || lane.engine == LaneEngine::TensorRt
             ? ProcessorKind::Gpu
             : ProcessorKind::Cpu;
}

void read_external(TomlSection& section, ExternalLane& external) {
  const IntegerRange range{1, kMillisecondsMax};
  const auto duration = [&](const char* key, Micros otherwise) {
    const std::optional<std::int64_t> value = section.maybe_integer(key, range);
    return value.has_value() ? milliseconds(*value) : otherwise;
  };
  external.command = section.texts("command", kArgumentsMax);
  external.start_max = duration("start_max_ms", external.start_max);
  external.load_max = duration("load_max_ms", external.load_max);
  external.run_max = duration("run_max_ms", external.run_max);
}

void read_gpu(TomlSection& section, LaneSpec& lane) {
  lane.gpu = static_cast<int>(section.maybe_integer("gpu", {0, 15}).value_or(0));
  lane.memory_max = {section.maybe_integer("memory_max_mb", {1, 1'000'000}).value_or(0) *
                     1'000'000};
  if (lane.engine == LaneEngine::TensorRt) {
    if (const auto core = section.maybe_integer("dla_core", {0, 3})) {
      lane.dla_core = static_cast<int>(*core);
    }
    lane.engine_cache = section.maybe_flag("engine_cache").value_or(true);
  }
}

LaneSpec read_lane(TomlSection& section) {
  LaneSpec lane;
  lane.processor = section.text("processor");
  if (!valid_device_id(lane.processor)) {
    section.refuse("processor", "must be of [a-z0-9-], 1 to 63 characters");
  }
  lane.engine = section.choice("engine", parse_engine, "cpu, xnnpack, cuda, tensorrt, external");
  lane.variants = section.texts("variants", kVariantsMax);
  lane.batch_max = static_cast<int>(section.maybe_integer("batch_max", {1, 1024}).value_or(0));
  switch (lane.engine) {
    case LaneEngine::Cpu:
    case LaneEngine::Xnnpack:
      lane.threads = static_cast<int>(section.maybe_integer("threads", {1, 1024}).value_or(0));
      break;
    case LaneEngine::Cuda:
    case LaneEngine::TensorRt:
      read_gpu(section, lane);
      break;
    case LaneEngine::External:
      read_external(section, lane.external);
      break;
  }
  lane.kind = kind_of(lane);
  if (lane.engine == LaneEngine::External) {
    lane.kind = section.choice("kind", parse_processor_kind, "cpu, gpu, dla");
  }
  section.refuse_unknown();  // a word that is not understood would be another device than was meant
  return lane;
}

Result<std::vector<LaneSpec>> read_lanes(TomlDocument& document) {
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  std::vector<LaneSpec> lanes;
  for (TomlSection& section : root.sections("lane", kLanesMax)) {
    LaneSpec lane = read_lane(section);
    if (std::any_of(lanes.begin(), lanes.end(),
                    [&](const LaneSpec& one) { return one.processor == lane.processor; })) {
      section.refuse("processor", "'" + lane.processor + "' is there twice");
    }
    lanes.push_back(std::move(lane));
  }
  root.refuse_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  if (lanes.empty()) {
    return fail(ErrorCode::InvalidArgument, document.origin() + ": has no [[lane]]");
  }
  return lanes;
}

}  // namespace

Result<std::vector<LaneSpec>> load_lanes(const std::filesystem::path& file) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(file);
  if (!document) {
    return document.error();
  }
  return read_lanes(**document);
}

Result<std::vector<LaneSpec>> parse_lanes(std::string_view text, const std::string& origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  if (!document) {
    return document.error();
  }
  return read_lanes(**document);
}

std::string_view to_string(LaneEngine engine) { return name_of(kEngines, engine); }

}  // namespace juggler
