#include "files/board_profile.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include <spdlog/spdlog.h>

#include "files/curve_rows.h"
#include "files/data_folders.h"
#include "files/nearest_name.h"
#include "files/sha256.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

constexpr std::string_view kEvidenceNames = "measured, published, derived, estimated, assumed";
constexpr std::string_view kScopeNames = "module-rail, rail-sum, board-input, wall, package";
constexpr std::int64_t kMilliwattsMax = 10'000'000;
constexpr std::int64_t kMicrosMax = 600'000'000;
constexpr std::int64_t kMicrojoulesMax = 10'000'000'000;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 44U;
constexpr std::size_t kRowsMax = kVariantsMax * kProfilePointsMax;

// One [[processor.profile]].
struct Row {
  std::string variant;
  ProfilePoint point;
  MicrosInterval latency;
  Evidence evidence = Evidence::Assumed;
  std::string source;
  Bytes memory;
  Micros load;
};

struct ProcessorRows {
  Processor processor;
  std::vector<std::vector<MicrosInterval>> latency;  // as in FactsIntervals
  std::vector<MeasuredSlowdown> slowdowns;
  std::optional<WarmUp> warm_up;
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

// Decisions take the factor alone; its interval is for simulations.
void read_conversion(TomlSection section, BoardProfile& profile) {
  const double factor = section.number("factor", {0.1, 10.0});
  const double low = section.maybe_number("factor_low", {0.01, 10.0}).value_or(factor);
  const double high = section.maybe_number("factor_high", {0.1, 100.0}).value_or(factor);
  if (low > factor || high < factor) {
    section.refuse("factor", "must lie from factor_low to factor_high");
  }
  section.text_or("kind", "");
  section.text_or("source", "");
  section.warn_unknown();
  profile.to_board_input = {std::llround(factor * 1000.0)};
  profile.intervals.to_board_input_low_permille = std::llround(low * 1000.0);
  profile.intervals.to_board_input_high_permille = std::llround(high * 1000.0);
}

void read_idle(TomlSection& power, BoardProfile& profile) {
  const IntegerRange range{0, kMilliwattsMax};
  const std::optional<std::int64_t> value = power.maybe_integer("idle_mw", range);
  const std::optional<std::int64_t> low = power.maybe_integer("idle_mw_low", range);
  const std::optional<std::int64_t> high = power.maybe_integer("idle_mw_high", range);
  if (!value.has_value()) {
    return;
  }
  profile.idle = Milliwatts{*value};
  profile.intervals.idle_low = {low.value_or(*value)};
  profile.intervals.idle_high = {high.value_or(*value)};
  if (profile.intervals.idle_low > *profile.idle || profile.intervals.idle_high < *profile.idle) {
    power.refuse("idle_mw", "must lie from idle_mw_low to idle_mw_high");
  }
}

// Reads [power] and returns its scope, which the energies of all rows share.
PowerScope read_power(TomlSection section, BoardProfile& profile) {
  const PowerScope scope = section.choice("scope", parse_power_scope, kScopeNames);
  read_idle(section, profile);
  profile.busy = read_busy(section, scope);
  for (const char* note : {"kind", "source", "meter"}) {
    section.text_or(note, "");
  }
  if (std::optional<TomlSection> conversion = section.maybe_section("to_board_input")) {
    read_conversion(*conversion, profile);
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
  const std::int64_t mean = row.point.latency_mean.count;
  row.latency.low = {section.maybe_integer("latency_us_low", {1, kMicrosMax}).value_or(mean)};
  row.latency.high = {section.maybe_integer("latency_us_high", {1, kMicrosMax}).value_or(mean)};
  if (row.latency.low.count > mean || row.latency.high.count < mean) {
    section.refuse("latency_us_mean", "must lie from latency_us_low to latency_us_high");
  }
  // What `juggler profile` tells of a point besides.
  for (const char* more :
       {"latency_us_min", "latency_us_p50", "latency_us_p90", "latency_us_p99", "threads"}) {
    section.maybe_integer(more, {1, kMicrosMax});
  }
  section.maybe_integer("power_mw", {0, kMilliwattsMax});
  section.maybe_integer("temperature_millicelsius", {-100'000, 200'000});
  section.maybe_flag("throttled");
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
void group(std::vector<Row> rows, TomlSection& section, ProcessorRows& read) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.variant, a.point.batch) < std::pair(b.variant, b.point.batch);
  });
  std::vector<Profile>& profiles = read.processor.profiles;
  for (Row& row : rows) {
    if (profiles.empty() || profiles.back().variant != row.variant) {
      profiles.push_back({row.variant, {}, row.memory, row.load, row.evidence, row.source});
      read.latency.emplace_back();
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
    read.latency.back().push_back(row.latency);
  }
  for (const Profile& profile : profiles) {
    if (profile.points.front().batch != 1 || profile.points.size() > kProfilePointsMax) {
      section.refuse("profile", profile.variant + " needs batch 1, and 16 batch sizes at most");
    }
  }
}

ProcessorRows read_processor(TomlSection& section, std::optional<PowerScope> scope,
                             MeasuredOn* measured) {
  ProcessorRows read;
  Processor& processor = read.processor;
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
  group(std::move(rows), section, read);
  read.slowdowns = read_slowdowns(section);
  read.warm_up = read_warm_up(section);
  processor.slowed_by = announced_slowdowns(read.slowdowns);
  // Of a profile that `juggler profile` wrote; the rows of other numbers of threads are for people.
  section.text_or("engine", "");
  section.maybe_integer("threads", {1, 1024});
  section.sections("sweep", kRowsMax);
  section.warn_unknown();
  return read;
}

MeasuredOn read_measured_on(TomlSection section) {
  MeasuredOn measured;
  measured.date = section.text("date");
  measured.machine = section.text("machine");
  measured.runtime_version = section.text("runtime_version");
  measured.threads = static_cast<int>(section.integer("threads", {1, 1024}));
  measured.mode = read_measured_mode(section);
  for (const char* note : {"picture", "program", "note", "energy_absent"}) {
    section.text_or(note, "");
  }
  for (const char* idle : {"load_permille_before", "load_permille_after",
                           "temperature_millicelsius_before", "temperature_millicelsius_after"}) {
    section.maybe_integer(idle, {-100'000, 200'000});
  }
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
    profile.to_board_input.from = scope;
  }
  if (std::optional<TomlSection> measured = root.maybe_section("measured")) {
    profile.measured_on = read_measured_on(*measured);
  }
  profile.curves.heat = read_heating(root);
  MeasuredOn* measured = profile.measured_on.has_value() ? &*profile.measured_on : nullptr;
  std::map<std::string, ProcessorRows> processors;  // by id
  for (TomlSection& section : root.sections("processor", kProcessorsMax)) {
    ProcessorRows read = read_processor(section, scope, measured);
    const std::string id = read.processor.id;
    if (!processors.emplace(id, std::move(read)).second) {
      section.refuse("id", "is there twice");
    }
  }
  root.warn_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  for (auto& [id, read] : processors) {
    if (read.warm_up.has_value()) {
      profile.curves.warm_up[id] = *read.warm_up;
    }
    profile.processors.push_back(std::move(read.processor));
    profile.intervals.latency.push_back(std::move(read.latency));
    profile.slowdowns.push_back(std::move(read.slowdowns));
  }
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

Result<BoardProfile> find_board_profile(const std::string& board,
                                        const std::filesystem::path& home) {
  if (valid_device_id(board)) {
    const Result<std::filesystem::path> file = find_profile_file(board, home);
    if (file) {
      return load_board_profile(*file);
    }
  }
  const std::vector<std::string> known = list_boards(home);
  return fail(ErrorCode::NotFound,
              "no profile of a board '" + board + "' " + where_looked(kProfileFolders, home) +
                  ". " +
                  (known.empty() ? "Set $JUGGLER_PROFILES to the folder 'profiles' of a checkout"
                                 : suggestion(board, known)));
}

std::vector<std::string> list_boards(const std::filesystem::path& home) {
  std::set<std::string> boards;
  for (const std::filesystem::path& folder : data_folders(kProfileFolders, home)) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() != ".toml" || name.starts_with("device-") ||
          name == kVariantTable || name == kNetworkTable) {
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
