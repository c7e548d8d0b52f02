#include "telemetry/estimate_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "files/toml_reader.h"
#include "files/write_file.h"
#include "telemetry/parse_proc.h"

namespace juggler {
namespace {

constexpr double kFitMin = 0.9;  // R2: below, load does not explain the power

class EstimateMeter final : public PowerMeter {
 public:
  EstimateMeter(HostFiles& host, LoadModel model) : host_(host), model_(std::move(model)) {
    facts_.name = "estimate from CPU load";
    facts_.scope = model_.scope;
    facts_.evidence = Evidence::Estimated;
    facts_.period = milliseconds(200);  // 20 jiffies
    facts_.window = milliseconds(200);
    facts_.step = model_.rmse;
    facts_.source = model_.source;
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time /*now*/) override {
    constexpr const char* kFile = "proc/stat";
    const Fact<std::string> text = host_.text(kFile);
    const auto stat = text.value.has_value() ? parse_cpu_stat(*text.value) : std::nullopt;
    if (!stat.has_value()) {
      last_.reset();
      return Fact<MeterReading>::absent(text.value.has_value() ? Absence::Malformed : text.why,
                                        kFile);
    }
    const std::optional<CpuTimes> before = std::exchange(last_, stat->all);
    const std::int64_t used = before.has_value() ? stat->all.user - before->user : 0;
    const std::int64_t rested = before.has_value() ? stat->all.idle - before->idle : 0;
    if (used < 0 || rested < 0 || used + rested <= 0) {
      return Fact<MeterReading>::absent(Absence::NoData, kFile);
    }
    const std::int64_t power =
        model_.at_rest.count + model_.per_load.count * used / (used + rested);
    return Fact<MeterReading>::of({.energy = {}, .power = {power}}, kFile);
  }

 private:
  HostFiles& host_;
  LoadModel model_;
  MeterFacts facts_;
  std::optional<CpuTimes> last_;
};

Result<LoadModel> read_model(TomlDocument& document) {
  constexpr IntegerRange kPower{0, 1'000'000};
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  LoadModel model;
  model.at_rest = {root.integer("at_rest_mw", kPower)};
  model.per_load = {root.integer("per_load_mw", kPower)};
  model.rmse = {root.integer("rmse_mw", kPower)};
  model.scope =
      root.choice("scope", parse_power_scope, "module-rail, rail-sum, board-input, wall, package");
  model.source = root.text("source");
  if (model.source.empty()) {
    root.refuse("source", "it says who fitted this, against which meter");
  }
  root.warn_unknown();
  if (Result<void> read = document.finish(); !read) {
    return read.error();
  }
  return model;
}

}  // namespace

Result<LoadModel> load_model(const std::filesystem::path& file) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(file);
  return document ? read_model(**document) : Result<LoadModel>(document.error());
}

Result<LoadModel> parse_load_model(std::string_view text, const std::string& origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  return document ? read_model(**document) : Result<LoadModel>(document.error());
}

Result<void> save_load_model(const LoadModel& model, const std::filesystem::path& file) {
  return write_file(
      file,
      fmt::format("# Power = at_rest + per_load x load of all cores: docs/energy.md.\nformat = 1\n"
                  "at_rest_mw = {}\nper_load_mw = {}\nrmse_mw = {}\nscope = \"{}\"\nsource = {}\n",
                  model.at_rest.count, model.per_load.count, model.rmse.count,
                  to_string(model.scope), toml_quoted(model.source)));
}

Result<LoadModel> fit_load_model(std::span<const LoadPoint> points, PowerScope scope,
                                 std::string source) {
  const auto n = static_cast<double>(points.size());
  double u = 0.0;
  double p = 0.0;
  for (const LoadPoint& point : points) {
    u += point.load / n;
    p += point.watts / n;
  }
  double uu = 0.0;
  double up = 0.0;
  double pp = 0.0;
  for (const LoadPoint& point : points) {
    uu += (point.load - u) * (point.load - u);
    up += (point.load - u) * (point.watts - p);
    pp += (point.watts - p) * (point.watts - p);
  }
  if (points.size() < 3 || uu < 1e-6) {
    return fail(ErrorCode::InvalidArgument, "a fit needs three points at different loads");
  }
  const double slope = up / uu;
  const double rest = p - slope * u;
  const double left = std::max(pp - slope * up, 0.0);
  const double fit = pp > 0.0 ? 1.0 - left / pp : 0.0;
  if (fit < kFitMin || slope < 0.0 || rest < 0.0) {
    return fail(ErrorCode::Unsupported,
                fmt::format("load does not explain the power here: R2 = {:.2f}, at least {} is "
                            "needed",
                            fit, kFitMin));
  }
  LoadModel model;
  model.at_rest = {std::llround(rest * 1000)};
  model.per_load = {std::llround(slope * 1000)};
  model.rmse = {std::llround(std::sqrt(left / n) * 1000)};
  model.scope = scope;
  model.source = std::move(source);
  return model;
}

std::unique_ptr<PowerMeter> make_estimate_meter(HostFiles& host, LoadModel model) {
  return std::make_unique<EstimateMeter>(host, std::move(model));
}

}  // namespace juggler
