#include "inference/machine_profile.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "files/curve_rows.h"
#include "files/sha256.h"
#include "files/toml_reader.h"
#include "files/write_file.h"

namespace juggler {
namespace {

constexpr std::int64_t kMicrosMax = 600'000'000;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 44U;
constexpr std::int64_t kMicrojoulesMax = 10'000'000'000;
constexpr std::int64_t kMilliwattsMax = 1'000'000'000;
constexpr std::size_t kRowsMax = 16'384;
// A further thread must pay at least this, since it takes a core from something else.
constexpr double kThreadGainMin = 0.1;
constexpr const char* kCurvesSource = "of the file before: `juggler profile` measures no curves";

// Its energy and how warm it was.
std::string more_text(const MeasuredPoint& point) {
  std::string text;
  if (point.energy.has_value()) {
    text += fmt::format(
        "energy_uj = {}\nenergy_uj_low = {}\nenergy_uj_high = {}\nenergy_kind = \"{}\"\n",
        point.energy->value.count, point.energy->low.count, point.energy->high.count,
        to_string(point.energy->evidence));
  }
  if (point.power.has_value()) {
    text += fmt::format("power_mw = {}\n", point.power->count);
  }
  if (point.temperature.has_value()) {
    text += fmt::format("temperature_millicelsius = {}\n", *point.temperature);
  }
  return text + (point.throttled ? "throttled = true\n" : "");
}

std::string row_text(const char* kind, const std::string& variant, const ProfiledVariant& measured,
                     const MeasuredPoint& point, const std::string& source) {
  return fmt::format(
             "\n[[processor.{}]]\nvariant = {}\nbatch = {}\nthreads = {}\n"
             "latency_us_mean = {}\nlatency_us_low = {}\nlatency_us_high = {}\nlatency_us_min = "
             "{}\n"
             "latency_us_p50 = {}\nlatency_us_p90 = {}\nlatency_us_p95 = {}\nlatency_us_p99 = {}\n"
             "samples = {}\nkind = \"measured\"\nsource = {}\nmemory_bytes = {}\nload_us = {}\n"
             "model_sha256 = {}\n",
             kind, toml_quoted(variant), point.batch, point.threads, point.mean.count,
             point.low.count, point.high.count, point.min.count, point.p50.count, point.p90.count,
             point.p95.count, point.p99.count, point.samples, toml_quoted(source),
             measured.memory.count, measured.load.count, toml_quoted(measured.model_sha256)) +
         more_text(point);
}

std::string power_text(const ProfileMeter& meter, const std::string& source) {
  std::string text = fmt::format(
      "\n[power]\nscope = \"{}\"\nkind = \"{}\"\nmeter = {}\nsource = {}\n", to_string(meter.scope),
      to_string(meter.evidence), toml_quoted(meter.name), toml_quoted(source));
  if (meter.at_rest.has_value()) {
    text += fmt::format("idle_mw = {}\nidle_mw_low = {}\nidle_mw_high = {}\n",
                        meter.at_rest->value.count, meter.at_rest->low.count,
                        meter.at_rest->high.count);
  }
  if (meter.to_board_input.has_value()) {
    text +=
        fmt::format("[power.to_board_input]\nfactor = {:.3f}\nkind = \"assumed\"\nsource = {}\n",
                    static_cast<double>(meter.to_board_input->factor_permille) / 1000,
                    toml_quoted(meter.conversion_source));
  }
  return text;
}

std::string idle_text(const char* when, const IdleState& idle) {
  std::string text;
  if (idle.load_permille.has_value()) {
    text += fmt::format("load_permille_{} = {}\n", when, *idle.load_permille);
  }
  if (idle.temperature_millicelsius.has_value()) {
    text += fmt::format("temperature_millicelsius_{} = {}\n", when, *idle.temperature_millicelsius);
  }
  return text;
}

std::string lane_text(const ProfiledLane& lane, const std::string& source) {
  const int threads = lane.best_threads();
  int batch_max = 1;
  std::string rows;
  std::string sweep;
  std::string beside;
  for (const auto& [id, slowdown] : lane.slowdowns) {
    beside += slowdown_text(slowdown, source);
  }
  for (const auto& [variant, measured] : lane.variants) {
    // A twin needs batch 1: a variant that was not measured on these threads is only shown.
    const bool whole = measured.find(threads, 1) != nullptr;
    for (const MeasuredPoint& point : measured.points) {
      const bool chosen = whole && point.threads == threads;
      (chosen ? rows : sweep) +=
          row_text(chosen ? "profile" : "sweep", variant, measured, point, source);
      batch_max = chosen ? std::max(batch_max, point.batch) : batch_max;
    }
  }
  return fmt::format(
             "\n[[processor]]\nid = {}\nkind = \"{}\"\nruntime = {}\nengine = {}\nthreads = {}\n"
             "window_batches = 2\nbatch_max = {}\n",
             toml_quoted(lane.id), to_string(lane.kind),
             toml_quoted(
                 fmt::format("{}, {} thread{}", lane.runtime, threads, threads == 1 ? "" : "s")),
             toml_quoted(lane.runtime), threads, batch_max) +
         beside + rows + sweep;
}

std::string source_of(const MachineProfile& profile) {
  return fmt::format("juggler profile on {}, {}", profile.machine, profile.date);
}

void read_more(TomlSection& row, std::optional<PowerScope> scope, MeasuredPoint& point) {
  const IntegerRange range{0, kMicrojoulesMax};
  const std::optional<std::int64_t> value = row.maybe_integer("energy_uj", range);
  if (value.has_value() && scope.has_value()) {
    point.energy = EnergyFigure{{*value},
                                {row.maybe_integer("energy_uj_low", range).value_or(*value)},
                                {row.maybe_integer("energy_uj_high", range).value_or(*value)},
                                row.choice("energy_kind", parse_evidence, "measured, estimated"),
                                *scope};
  }
  if (const auto power = row.maybe_integer("power_mw", {0, kMilliwattsMax})) {
    point.power = Milliwatts{*power};
  }
  point.temperature = row.maybe_integer("temperature_millicelsius", {-100'000, 200'000});
  point.throttled = row.maybe_flag("throttled").value_or(false);
}

MeasuredPoint read_point(TomlSection& row, std::optional<PowerScope> scope) {
  const IntegerRange range{1, kMicrosMax};
  const auto micros = [&](const char* key) { return Micros{row.integer(key, range)}; };
  MeasuredPoint point;
  point.batch = static_cast<int>(row.integer("batch", {1, 1024}));
  point.threads = static_cast<int>(row.integer("threads", {1, 1024}));
  point.samples = static_cast<int>(row.integer("samples", {1, 1'000'000'000}));
  point.mean = micros("latency_us_mean");
  point.low = micros("latency_us_low");
  point.high = micros("latency_us_high");
  point.min = micros("latency_us_min");
  point.p50 = micros("latency_us_p50");
  point.p90 = micros("latency_us_p90");
  point.p95 = micros("latency_us_p95");
  point.p99 = micros("latency_us_p99");
  read_more(row, scope, point);
  return point;
}

void read_rows(TomlSection& section, const char* kind, std::optional<PowerScope> scope,
               ProfiledLane& lane) {
  for (TomlSection& row : section.sections(kind, kRowsMax)) {
    ProfiledVariant& variant = lane.variants[row.text("variant")];
    variant.model_sha256 = row.text_or("model_sha256", "");
    variant.memory = {row.maybe_integer("memory_bytes", {0, kBytesMax}).value_or(0)};
    variant.load = {row.maybe_integer("load_us", {0, kMicrosMax}).value_or(0)};
    variant.points.push_back(read_point(row, scope));
  }
}

IdleState read_idle(TomlSection& section, const std::string& when) {
  return {section.maybe_integer("load_permille_" + when, {0, 1000}),
          section.maybe_integer("temperature_millicelsius_" + when, {-100'000, 200'000})};
}

ProfileMeter read_meter(TomlSection& power) {
  ProfileMeter meter;
  meter.name = power.text_or("meter", "");
  meter.scope =
      power.choice("scope", parse_power_scope, "module-rail, rail-sum, board-input, wall, package");
  meter.evidence = power.choice("kind", parse_evidence, "measured, estimated");
  const IntegerRange range{0, kMilliwattsMax};
  if (const auto idle = power.maybe_integer("idle_mw", range)) {
    meter.at_rest = RestPower{{*idle},
                              {power.maybe_integer("idle_mw_low", range).value_or(*idle)},
                              {power.maybe_integer("idle_mw_high", range).value_or(*idle)}};
  }
  if (std::optional<TomlSection> conversion = power.maybe_section("to_board_input")) {
    meter.to_board_input = ScopeConversion{
        std::llround(conversion->number("factor", {0.1, 10.0}) * 1000), meter.scope};
    meter.conversion_source = conversion->text_or("source", "");
  }
  return meter;
}

Result<MachineProfile> read_document(TomlDocument& document) {
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  MachineProfile profile;
  profile.name = root.text("board");
  profile.title = root.text("title");
  profile.memory = {root.maybe_integer("memory_bytes", {0, kBytesMax}).value_or(0)};
  std::optional<TomlSection> measured = root.maybe_section("measured");
  if (!measured.has_value()) {
    return fail(ErrorCode::InvalidArgument,
                document.origin() + ": has no [measured]: `juggler profile` did not write it");
  }
  profile.date = measured->text("date");
  profile.machine = measured->text("machine");
  profile.program = measured->text_or("program", "");
  profile.note = measured->text_or("note", "");
  profile.energy_absent = measured->text_or("energy_absent", "");
  profile.mode = read_measured_mode(*measured);
  profile.before = read_idle(*measured, "before");
  profile.after = read_idle(*measured, "after");
  std::optional<PowerScope> scope;
  if (std::optional<TomlSection> power = root.maybe_section("power")) {
    profile.meter = read_meter(*power);
    scope = profile.meter->scope;
  }
  profile.curves.heat = read_heating(root);
  for (TomlSection& section : root.sections("processor", kProcessorsMax)) {
    ProfiledLane lane;
    lane.id = section.text("id");
    if (const std::optional<WarmUp> warm_up = read_warm_up(section)) {
      profile.curves.warm_up[lane.id] = *warm_up;
    }
    lane.kind = section.choice("kind", parse_processor_kind, "cpu, gpu, dla");
    lane.runtime = section.text("engine");
    for (MeasuredSlowdown& slowdown : read_slowdowns(section)) {
      const std::string by = slowdown.by;
      lane.slowdowns[by] = std::move(slowdown);
    }
    read_rows(section, "profile", scope, lane);
    read_rows(section, "sweep", scope, lane);
    for (auto& [id, variant] : lane.variants) {
      std::sort(variant.points.begin(), variant.points.end(),
                [](const MeasuredPoint& a, const MeasuredPoint& b) {
                  return std::pair(a.threads, a.batch) < std::pair(b.threads, b.batch);
                });
    }
    profile.lanes[lane.id] = std::move(lane);
  }
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  return profile;
}

}  // namespace

const MeasuredPoint* ProfiledVariant::find(int threads, int batch) const {
  const auto at = std::find_if(points.begin(), points.end(), [&](const MeasuredPoint& p) {
    return p.threads == threads && p.batch == batch;
  });
  return at != points.end() ? &*at : nullptr;
}

int ProfiledLane::best_threads() const {
  std::map<int, std::pair<int, double>> sums;  // by threads: variants, sum of logarithms
  for (const auto& [name, variant] : variants) {
    for (const MeasuredPoint& point : variant.points) {
      if (point.batch == 1) {
        sums[point.threads].first += 1;
        sums[point.threads].second += std::log(static_cast<double>(point.mean.count));
      }
    }
  }
  int most = 0;
  for (const auto& [threads, sum] : sums) {
    most = std::max(most, sum.first);
  }
  int best = 1;
  double least = 0.0;
  bool found = false;
  for (const auto& [threads, sum] : sums) {
    const double mean = sum.second / std::max(sum.first, 1);
    if (sum.first == most && (!found || mean < least + std::log1p(-kThreadGainMin))) {
      best = threads;
      least = mean;
      found = true;
    }
  }
  return best;
}

Calibration calibration_of(const MachineProfile& profile, const ProfiledLane& lane) {
  Calibration made;
  const int threads = lane.best_threads();
  made.on = {profile.date, profile.machine, lane.runtime, threads, {}, profile.mode};
  made.board = profile.name;
  made.title = profile.title;
  made.processor = lane.id;
  made.kind = lane.kind;
  for (const auto& [id, slowdown] : lane.slowdowns) {
    made.slowdowns.push_back(slowdown);
  }
  for (const auto& [id, measured] : lane.variants) {
    const MeasuredPoint* one = measured.find(threads, 1);
    if (one == nullptr) {
      continue;
    }
    Profile announced;
    announced.variant = id;
    announced.memory = measured.memory;
    announced.load = measured.load;
    announced.evidence = Evidence::Measured;
    announced.source = source_of(profile);
    for (const MeasuredPoint& point : measured.points) {
      if (point.threads == threads) {
        announced.points.push_back({point.batch, point.mean, point.p95, point.energy});
      }
    }
    made.set(std::move(announced), {measured.model_sha256, one->samples});
  }
  return made;
}

std::string profile_text(const MachineProfile& profile) {
  const std::string source = source_of(profile);
  std::string text = fmt::format(
      "# {}\n# Measured by `juggler profile`: docs/measuring.md says how. latency_us_low and "
      "_high\n"
      "# are the 95 % interval of the mean; sweep: other numbers of threads, which twins leave "
      "out.\n"
      "format = 1\nboard = {}\ntitle = {}\nmemory_bytes = {}\n\n"
      "[measured]\ndate = {}\nmachine = {}\nprogram = {}\n"
      "picture = \"decode, preprocess and run of a synthetic 500 x 375 JPEG\"\n",
      profile.title, toml_quoted(profile.name), toml_quoted(profile.title), profile.memory.count,
      toml_quoted(profile.date), toml_quoted(profile.machine), toml_quoted(profile.program));
  if (!profile.note.empty()) {
    text += fmt::format("note = {}\n", toml_quoted(profile.note));
  }
  if (!profile.energy_absent.empty()) {
    text += fmt::format("energy_absent = {}\n", toml_quoted(profile.energy_absent));
  }
  text += measured_mode_text(profile.mode);
  text += idle_text("before", profile.before) + idle_text("after", profile.after);
  // What earlier readers want of [measured]: they know one runtime and one number of threads.
  for (const auto& [id, lane] : profile.lanes) {
    text += fmt::format("runtime_version = {}\nthreads = {}\n", toml_quoted(lane.runtime),
                        lane.best_threads());
    break;
  }
  if (profile.meter.has_value()) {
    text += power_text(*profile.meter, source);
  }
  if (profile.curves.heat.has_value()) {
    text += heating_text(*profile.curves.heat, kCurvesSource);
  }
  for (const auto& [id, lane] : profile.lanes) {
    text += lane_text(lane, source);
    const auto warm_up = profile.curves.warm_up.find(id);
    if (warm_up != profile.curves.warm_up.end()) {
      text += warm_up_text(warm_up->second, kCurvesSource);
    }
  }
  return text;
}

Result<void> save_profile(const MachineProfile& profile, const std::filesystem::path& file) {
  return write_file(file, profile_text(profile));
}

Result<MachineProfile> load_profile(const std::filesystem::path& file) {
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) {
    return fail(ErrorCode::NotFound, "no profile at " + file.string());
  }
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(file);
  if (!document) {
    return document.error();
  }
  return read_document(**document);
}

}  // namespace juggler
