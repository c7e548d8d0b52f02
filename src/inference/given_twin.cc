#include "inference/given_twin.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/preload.h"
#include "files/curve_rows.h"
#include "inference/twin_engine.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kFileMax = std::uintmax_t{16} << 20U;
constexpr double kNoiseMax = 10.0;  // as in a scenario

json facts_json(const DeviceFacts& facts) {
  return json::parse(*wire::encode_hello(facts).body, nullptr, /*allow_exceptions=*/false);
}

Result<DeviceFacts> facts_of(const json& document, const char* key,
                             const std::filesystem::path& file) {
  const auto at = document.find(key);
  if (at == document.end() || !at->is_object()) {
    return fail(ErrorCode::InvalidArgument, file.string() + ": `" + key + "` is no object");
  }
  DeviceFacts named;  // a hello comes by the key of its device
  if (const auto id = at->find("device"); id != at->end() && id->is_string()) {
    named.id = id->get<std::string>();
  }
  wire::Envelope hello = wire::encode_hello(named);  // its type and version
  hello.body = wire::make_body(at->dump());
  Result<DeviceFacts> facts = wire::decode_hello(hello);
  if (!facts) {
    return fail(ErrorCode::InvalidArgument,
                file.string() + ": `" + key + "`: " + facts.error().message);
  }
  return facts;
}

// The profile's own lines: [heat], and a [[processor]] for each [processor.warm_up].
json curves_json(const BoardCurves& curves) {
  std::string text;
  if (curves.heat.has_value()) {
    text += heating_text(*curves.heat, "");
  }
  for (const auto& [id, warm_up] : curves.warm_up) {
    text += "\n[[processor]]\nid = " + toml_quoted(id) + "\n" + warm_up_text(warm_up, "");
  }
  return text;
}

Result<BoardCurves> curves_of(const json& twin, const std::filesystem::path& file) {
  BoardCurves curves;
  const auto at = twin.find("curves");
  if (at == twin.end()) {
    return curves;
  }
  if (!at->is_string()) {
    return fail(ErrorCode::InvalidArgument, file.string() + ": `curves` is no text");
  }
  Result<std::unique_ptr<TomlDocument>> document =
      TomlDocument::parse(at->get<std::string>(), file.string() + ": `curves`");
  if (!document) {
    return document.error();
  }
  TomlSection root = (*document)->root();
  curves.heat = read_heating(root);
  for (TomlSection& section : root.sections("processor", kProcessorsMax)) {
    const std::string id = section.text("id");
    if (const std::optional<WarmUp> warm_up = read_warm_up(section)) {
      curves.warm_up[id] = *warm_up;
    }
  }
  if (Result<void> read = (*document)->finish(); !read) {
    return read.error();
  }
  return curves;
}

bool same_shape(const DeviceFacts& a, const DeviceFacts& b) {
  if (a.processors.size() != b.processors.size() || a.variants != b.variants) {
    return false;
  }
  for (std::size_t p = 0; p < a.processors.size(); ++p) {
    const Processor& one = a.processors[p];
    const Processor& other = b.processors[p];
    if (one.id != other.id || one.profiles.size() != other.profiles.size()) {
      return false;
    }
    for (std::size_t i = 0; i < one.profiles.size(); ++i) {
      if (one.profiles[i].variant != other.profiles[i].variant) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

std::string given_twin_text(const GivenTwin& twin) {
  json document{{"announced", facts_json(twin.announced)},
                {"truth", facts_json(twin.truth)},
                {"noise", twin.noise}};
  if (!twin.curves.flat()) {
    document["curves"] = curves_json(twin.curves);
  }
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<GivenTwin> read_given_twin(const std::filesystem::path& file) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  std::ifstream stream(file, std::ios::binary);
  if (failed || !stream) {
    return fail(ErrorCode::InvalidArgument, "cannot read " + file.string());
  }
  if (size > kFileMax) {
    return fail(ErrorCode::InvalidArgument, file.string() + " has more than 16 MiB");
  }
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) {
    return fail(ErrorCode::InvalidArgument, file.string() + " is no JSON object");
  }
  Result<DeviceFacts> announced = facts_of(document, "announced", file);
  Result<DeviceFacts> truth = facts_of(document, "truth", file);
  if (!announced || !truth) {
    return announced ? truth.error() : announced.error();
  }
  const auto noise = document.find("noise");
  if (noise == document.end() || !noise->is_number() || noise->get<double>() < 0.0 ||
      noise->get<double>() > kNoiseMax) {
    return fail(ErrorCode::InvalidArgument, file.string() + ": `noise` is a number from 0 to 10");
  }
  Result<BoardCurves> curves = curves_of(document, file);
  if (!curves) {
    return curves.error();
  }
  return GivenTwin{std::move(*announced), std::move(*truth), noise->get<double>(),
                   std::move(*curves)};
}

Result<LocalDevice> open_given_twin(GivenTwin twin, const DeviceIdentity& identity,
                                    std::uint64_t seed) {
  if (!same_shape(twin.announced, twin.truth)) {
    return fail(ErrorCode::InvalidArgument,
                "the twin's `truth` has other processors, variants or profiles than it announces");
  }
  LocalDevice device;
  device.facts = std::move(twin.announced);
  device.facts.id = identity.id;
  device.facts.incarnation = identity.incarnation;
  device.facts.twin = true;
  device.memory_free = device.facts.memory;
  if (Result<void> ok = validate(device.facts); !ok) {
    return ok.error();
  }
  state_preloads(device.facts);
  const auto memory = std::make_shared<TwinMemory>(twin.truth.memory);
  device.board = twin_board(twin.truth.processors, twin.curves);
  for (std::size_t p = 0; p < device.facts.processors.size(); ++p) {
    Processor& processor = twin.truth.processors[p];
    processor.loaded = device.facts.processors[p].loaded;
    TwinEngineOptions options;
    options.processor = processor;
    options.variants = device.facts.variants;
    options.seed = seed++;
    options.noise = twin.noise;
    options.memory = memory;
    options.board = device.board;
    options.position = p;
    device.engines[processor.id] = make_twin_engine(std::move(options));
  }
  return device;
}

}  // namespace juggler
