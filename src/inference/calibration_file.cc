#include "inference/calibration_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "files/toml_reader.h"
#include "files/write_file.h"

namespace juggler {
namespace {

std::string row_text(const Profile& profile, const ProfilePoint& point,
                     const MeasuredVariant& variant) {
  std::string text = fmt::format(
      "\n[[processor.profile]]\n"
      "variant = {}\nbatch = {}\nlatency_us_mean = {}\nlatency_us_p95 = {}\n"
      "kind = \"measured\"\nsource = {}\nmemory_bytes = {}\nload_us = {}\nsamples = {}\n",
      toml_quoted(profile.variant), point.batch, point.latency_mean.count, point.latency_p95.count,
      toml_quoted(profile.source), profile.memory.count, profile.load.count, variant.samples);
  if (point.energy.has_value()) {
    text += fmt::format(
        "energy_uj = {}\nenergy_uj_low = {}\nenergy_uj_high = {}\nenergy_kind = \"{}\"\n",
        point.energy->value.count, point.energy->low.count, point.energy->high.count,
        to_string(point.energy->evidence));
  }
  if (!variant.model_sha256.empty()) {
    text += fmt::format("model_sha256 = {}\n", toml_quoted(variant.model_sha256));
  }
  return text;
}

// Where the meter of its energies sits: one, since one machine measured them.
std::optional<PowerScope> scope_of(const Calibration& calibration) {
  for (const Profile& profile : calibration.profiles) {
    for (const ProfilePoint& point : profile.points) {
      if (point.energy.has_value()) {
        return point.energy->scope;
      }
    }
  }
  return std::nullopt;
}

std::string file_text(const Calibration& calibration) {
  int batch_max = 1;
  for (const Profile& profile : calibration.profiles) {
    batch_max = std::max(batch_max, profile.points.back().batch);
  }
  const MeasuredOn& on = calibration.on;
  std::string text = fmt::format(
      "# Measured by this device when it started; delete the file to measure again.\n"
      "format = 1\nboard = {}\ntitle = {}\n\n"
      "[measured]\ndate = {}\nmachine = {}\nruntime_version = {}\nthreads = {}\n"
      "picture = \"decode, preprocess and run of a synthetic 500 x 375 JPEG\"\n",
      toml_quoted(calibration.board), toml_quoted(calibration.title), toml_quoted(on.date),
      toml_quoted(on.machine), toml_quoted(on.runtime_version), on.threads);
  text += measured_mode_text(on.mode) + "\n";
  const std::string processor = fmt::format(
      "[[processor]]\nid = {}\nkind = \"{}\"\nruntime = {}\n"
      "window_batches = 2\nbatch_max = {}\n",
      toml_quoted(calibration.processor), to_string(calibration.kind),
      toml_quoted(on.runtime_version), batch_max);
  if (const std::optional<PowerScope> scope = scope_of(calibration)) {
    text += fmt::format("[power]\nscope = \"{}\"\n", to_string(*scope));
  }
  text += processor;
  for (const MeasuredSlowdown& slowdown : calibration.slowdowns) {
    text += slowdown_text(slowdown, "juggler profile, " + on.date);
  }
  for (const Profile& profile : calibration.profiles) {
    const auto variant = on.variants.find(profile.variant);
    for (const ProfilePoint& point : profile.points) {
      text += row_text(profile, point,
                       variant != on.variants.end() ? variant->second : MeasuredVariant{});
    }
  }
  return text;
}

Result<Calibration> calibration_of(Result<BoardProfile> read, const std::string& origin) {
  if (!read) {
    return read.error();
  }
  if (!read->measured_on.has_value() || read->processors.size() != 1) {
    return fail(ErrorCode::InvalidArgument, origin + ": needs [measured] and one [[processor]]");
  }
  Calibration calibration;
  calibration.on = std::move(*read->measured_on);
  calibration.board = std::move(read->board);
  calibration.title = std::move(read->title);
  calibration.processor = read->processors.front().id;
  calibration.kind = read->processors.front().kind;
  calibration.slowdowns = std::move(read->slowdowns.front());
  calibration.profiles = std::move(read->processors.front().profiles);
  return calibration;
}

}  // namespace

const Profile* Calibration::find(const std::string& variant) const {
  const auto at = std::find_if(profiles.begin(), profiles.end(),
                               [&](const Profile& p) { return p.variant == variant; });
  return at != profiles.end() ? &*at : nullptr;
}

void Calibration::set(Profile profile, MeasuredVariant variant) {
  on.variants[profile.variant] = std::move(variant);
  const auto at = std::lower_bound(
      profiles.begin(), profiles.end(), profile.variant,
      [](const Profile& p, const std::string& wanted) { return p.variant < wanted; });
  if (at != profiles.end() && at->variant == profile.variant) {
    *at = std::move(profile);
  } else {
    profiles.insert(at, std::move(profile));
  }
}

std::filesystem::path calibration_file(const std::filesystem::path& home, const std::string& device,
                                       const std::string& processor) {
  // A device's name has no dot, so that no two of these files are one.
  const std::string lane = processor == kCpuLane ? "" : "." + processor;
  return home / "profiles" / ("device-" + device + lane + ".toml");
}

Result<Calibration> load_calibration(const std::filesystem::path& file) {
  return calibration_of(load_board_profile(file), file.string());
}

Result<Calibration> parse_calibration(std::string_view text, const std::string& origin) {
  return calibration_of(parse_board_profile(text, origin), origin);
}

Result<void> save_calibration(const Calibration& calibration, const std::filesystem::path& file) {
  return write_file(file, file_text(calibration));
}

}  // namespace juggler
