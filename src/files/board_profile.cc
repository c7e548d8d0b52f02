#include "files/board_profile.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include <spdlog/spdlog.h>

#include "files/sha256.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

constexpr std::string_view kEvidenceNames = "measured, published, derived, estimated, assumed";
constexpr std::string_view kScopeNames = "module-rail, board-input, wall, package";
constexpr std::int64_t kMilliwattsMax = 10'000'000;
constexpr std::int64_t kMicrosMax = 600'000'000;
constexpr std::int64_t kMicrojoulesMax = 10'000'000'000;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 44U;
constexpr std::size_t kRowsMax = kVariantsMax * kProfilePointsMax;

// One [[processor.profile]].
struct Row {
  std::string variant;
  ProfilePoint point;
  Evidence evidence = Evidence::Assumed;
  std::string source;
  Bytes memory;
  Micros load;
};

std::optional<BusyPower> read_busy(TomlSection& power, PowerScope scope) {
  const std::optional<std::int64_t> value = power.maybe_integer("busy_mw", {0, kMilliwattsMax});
  const std::optional<std::int64_t> low = power.maybe_integer("busy_mw_low", {0, kMilliwattsMax});
  const std::optional<std::int64_t> high = power.maybe_integer("busy_mw_high", {0, kMilliwattsMax});
  if (!value.has_value()) {
    return std::nullopt;
  }
  BusyPower busy{
      {*value}, {low.value_or(*value)}, {high.value_or(*value)}, Evidence::Assumed, scope};
  busy.evidence = power.choice("kind", parse_evidence, kEvidenceNames);
  if (busy.low > busy.value || busy.high < busy.value) {
    power.refuse("busy_mw", "must lie from busy_mw_low to busy_mw_high");
  }
  return busy;
}

ScopeConversion read_conversion(TomlSection section) {
  const double factor = section.number("factor", {0.1, 10.0});
  // For the reader of the file; decisions take the factor alone.
  for (const char* bound : {"factor_low", "factor_high"}) {
    section.maybe_number(bound, {0.01, 100.0});
  }
  section.text_or("kind", "");
  section.text_or("source", "");
  section.warn_unknown();
  return {std::llround(factor * 1000.0)};
}

// Reads [power] and returns its scope, which the energies of all rows share.
PowerScope read_power(TomlSection section, BoardProfile& profile) {
  const PowerScope scope = section.choice("scope", parse_power_scope, kScopeNames);
  if (const auto idle = section.maybe_integer("idle_mw", {0, kMilliwattsMax})) {
    profile.idle = Milliwatts{*idle};
  }
  for (const char* bound : {"idle_mw_low", "idle_mw_high"}) {
    section.maybe_integer(bound, {0, kMilliwattsMax});
  }
  profile.busy = read_busy(section, scope);
  section.text_or("kind", "");
  section.text_or("source", "");
  if (std::optional<TomlSection> conversion = section.maybe_section("to_board_input")) {
    profile.to_board_input = read_conversion(*conversion);
  }
  section.warn_unknown();
  return scope;
}

std::optional<EnergyFigure> read_energy(TomlSection& section, std::optional<PowerScope> scope) {
  const IntegerRange range{0, kMicrojoulesMax};
  const std::optional<std::int64_t> value = section.maybe_integer("energy_uj", range);
  const std::optional<std::int64_t> low = section.maybe_integer("energy_uj_low", range);
  const std::optional<std::int64_t> high = section.maybe_integer("energy_uj_high", range);
  for (const char* note : {"energy_source", "energy_rule"}) {
    section.text_or(note, "");
  }
  if (!value.has_value()) {
    section.text_or("energy_kind", "");
    return std::nullopt;
  }
  EnergyFigure energy;
  energy.value = {*value};
  energy.low = {low.value_or(*value)};
  energy.high = {high.value_or(*value)};
  energy.evidence = section.choice("energy_kind", parse_evidence, kEvidenceNames);
  if (energy.low > energy.value || energy.high < energy.value) {
    section.refuse("energy_uj", "must lie from energy_uj_low to energy_uj_high");
  }
  if (!scope.has_value()) {
    section.refuse("energy_uj", "needs a [power] with its scope");
  }
  energy.scope = scope.value_or(PowerScope::BoardInput);
  return energy;
}

Row read_row(TomlSection& section, std::optional<PowerScope> scope, MeasuredOn* measured) {
  Row row;
  row.variant = section.text("variant");
  row.point.batch = static_cast<int>(section.integer("batch", {1, 1024}));
  row.point.latency_mean = {section.integer("latency_us_mean", {1, kMicrosMax})};
  row.point.latency_p95 = {section.integer("latency_us_p95", {1, kMicrosMax})};
  if (row.point.latency_p95 < row.point.latency_mean) {
    section.refuse("latency_us_p95", "must be at least latency_us_mean");
  }
  for (const char* bound : {"latency_us_low", "latency_us_high"}) {
    section.maybe_integer(bound, {0, kMicrosMax});
  }
  row.evidence = section.choice("kind", parse_evidence, kEvidenceNames);
  row.source = section.text("source");
  section.text_or("rule", "");
  row.point.energy = read_energy(section, scope);
  row.memory = {section.maybe_integer("memory_bytes", {0, kBytesMax}).value_or(0)};
  row.load = {section.maybe_integer("load_us", {0, kMicrosMax}).value_or(0)};
  const std::string digest = section.text_or("model_sha256", "");
  if (!digest.empty() && !is_sha256(digest)) {
    section.refuse("model_sha256", "must be 64 lower-case hexadecimal digits");
  }
  const std::int64_t samples = section.maybe_integer("samples", {0, kMicrosMax}).value_or(0);
  if (measured != nullptr && !digest.empty() && row.point.batch == 1) {
    measured->variants[row.variant] = {digest, samples};
  }
  section.warn_unknown();
  return row;
}

// Rows of one variant become one profile. It is as good as its worst row.
std::vector<Profile> group(std::vector<Row> rows, TomlSection& section) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.variant, a.point.batch) < std::pair(b.variant, b.point.batch);
  });
  std::vector<Profile> profiles;
  for (Row& row : rows) {
    if (profiles.empty() || profiles.back().variant != row.variant) {
      profiles.push_back({row.variant, {}, row.memory, row.load, row.evidence, row.source});
    }
    Profile& profile = profiles.back();
    if (!profile.points.empty() && profile.points.back().batch == row.point.batch) {
      section.refuse("profile",
                     row.variant + " has batch " + std::to_string(row.point.batch) + " twice");
    }
    profile.evidence = std::max(profile.evidence, row.evidence);
    profile.memory = std::max(profile.memory, row.memory);
    profile.load = std::max(profile.load, row.load);
    profile.points.push_back(row.point);
  }
  for (const Profile& profile : profiles) {
    if (profile.points.front().batch != 1 || profile.points.size() > kProfilePointsMax) {
      section.refuse("profile", profile.variant + " needs batch 1, and 16 batch sizes at most");
    }
  }
  return profiles;
}

Processor read_processor(TomlSection& section, std::optional<PowerScope> scope,
                         MeasuredOn* measured) {
  Processor processor;
  processor.id = section.text("id");
  processor.kind = section.choice("kind", parse_processor_kind, "cpu, gpu, dla");
  processor.runtime = section.text("runtime");
  processor.window_batches = static_cast<int>(section.integer("window_batches", {1, 64}));
  processor.batch_max = static_cast<int>(section.integer("batch_max", {1, 1024}));
  if (!processor.id.empty() && !valid_device_id(processor.id)) {
    section.refuse("id", "must be of [a-z0-9-], 1 to 63 characters");
  }
  std::vector<Row> rows;
  for (TomlSection& row : section.sections("profile", kRowsMax)) {
    rows.push_back(read_row(row, scope, measured));
  }
  processor.profiles = group(std::move(rows), section);
  section.warn_unknown();
  return processor;
}

MeasuredOn read_measured_on(TomlSection section) {
  MeasuredOn measured;
  measured.date = section.text("date");
  measured.machine = section.text("machine");
  measured.runtime_version = section.text("runtime_version");
  measured.threads = static_cast<int>(section.integer("threads", {1, 1024}));
  section.text_or("picture", "");
  section.warn_unknown();
  return measured;
}

Result<BoardProfile> read_profile(TomlDocument& document) {
  TomlSection root = document.root();
  BoardProfile profile;
  root.integer("format", {1, 1});
  profile.board = root.text("board");
  profile.title = root.text("title");
  profile.memory = {root.maybe_integer("memory_bytes", {0, kBytesMax}).value_or(0)};
  std::optional<PowerScope> scope;
  if (std::optional<TomlSection> power = root.maybe_section("power")) {
    scope = read_power(*power, profile);
  }
  if (std::optional<TomlSection> measured = root.maybe_section("measured")) {
    profile.measured_on = read_measured_on(*measured);
  }
  MeasuredOn* measured = profile.measured_on.has_value() ? &*profile.measured_on : nullptr;
  std::set<std::string> ids;
  for (TomlSection& section : root.sections("processor", kProcessorsMax)) {
    profile.processors.push_back(read_processor(section, scope, measured));
    if (!ids.insert(profile.processors.back().id).second) {
      section.refuse("id", "is there twice");
    }
  }
  root.warn_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  std::sort(profile.processors.begin(), profile.processors.end(),
            [](const Processor& a, const Processor& b) { return a.id < b.id; });
  return profile;
}

}  // namespace

Result<BoardProfile> load_board_profile(const std::filesystem::path& file) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(file);
  if (!document) {
    return document.error();
  }
  return read_profile(**document);
}

Result<BoardProfile> parse_board_profile(std::string_view text, const std::string& origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  if (!document) {
    return document.error();
  }
  return read_profile(**document);
}

std::vector<std::filesystem::path> profile_folders(const std::filesystem::path& home) {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv("JUGGLER_PROFILES"); named != nullptr && *named != '\0') {
    folders.emplace_back(named);
  }
  if (!home.empty()) {
    folders.push_back(home / "profiles");
  }
  std::error_code failed;
  std::filesystem::path above = std::filesystem::read_symlink("/proc/self/exe", failed);
  while (above.has_relative_path()) {
    above = above.parent_path();
    folders.push_back(above / "profiles");
  }
  folders.emplace_back("/usr/share/juggler/profiles");
  const auto is_missing = [&](const std::filesystem::path& folder) {
    return !std::filesystem::is_directory(folder, failed);
  };
  folders.erase(std::remove_if(folders.begin(), folders.end(), is_missing), folders.end());
  return folders;
}

Result<BoardProfile> find_board_profile(const std::string& board,
                                        const std::filesystem::path& home) {
  std::string tried;
  if (valid_device_id(board)) {
    for (const std::filesystem::path& folder : profile_folders(home)) {
      const std::filesystem::path file = folder / (board + ".toml");
      std::error_code failed;
      if (std::filesystem::exists(file, failed)) {
        return load_board_profile(file);
      }
      tried += (tried.empty() ? "" : ", ") + folder.string();
    }
  }
  std::string boards;
  for (const std::string& name : list_boards(home)) {
    boards += (boards.empty() ? "" : ", ") + name;
  }
  return fail(ErrorCode::NotFound, "no profile of a board '" + board + "' in " +
                                       (tried.empty() ? "any folder" : tried) +
                                       ". There are: " + (boards.empty() ? "none" : boards));
}

std::vector<std::string> list_boards(const std::filesystem::path& home) {
  std::set<std::string> boards;
  for (const std::filesystem::path& folder : profile_folders(home)) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() != ".toml" || name.starts_with("device-")) {
        continue;
      }
      const Result<BoardProfile> profile = load_board_profile(entry.path());
      if (profile && !profile->processors.empty()) {
        boards.insert(name);
      }
    }
  }
  return {boards.begin(), boards.end()};
}

}  // namespace juggler
