#include "apps/profile_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace juggler {
namespace {

using nlohmann::json;

double ms(Micros time) { return static_cast<double>(time.count) / 1000; }
std::string show_ms(Micros time) { return fmt::format("{:.2f}", ms(time)); }
std::string megabytes(Bytes size) {
  return fmt::format("{:.0f} MB", static_cast<double>(size.count) / 1e6);
}

std::string energy_text(const std::optional<EnergyFigure>& energy) {
  const auto mj = [](Microjoules value) { return static_cast<double>(value.count) / 1000; };
  return energy.has_value() ? fmt::format("{:.1f} [{:.1f}-{:.1f}]", mj(energy->value),
                                          mj(energy->low), mj(energy->high))
                            : "-";
}

std::string power_text(const std::optional<Milliwatts>& power) {
  return power.has_value() ? fmt::format("{:.2f}", static_cast<double>(power->count) / 1000) : "-";
}

double pictures_per_s(const MeasuredPoint& point) {
  return static_cast<double>(point.millipictures_per_s()) / 1000;
}

struct Offline {
  double pictures_per_s = 0.0;
  int batch = 1;
  int threads = 1;
};

Offline offline_of(const ProfiledVariant& variant) {
  Offline best;
  for (const MeasuredPoint& point : variant.points) {
    if (pictures_per_s(point) > best.pictures_per_s) {
      best = {pictures_per_s(point), point.batch, point.threads};
    }
  }
  return best;
}

std::string like_mlperf(const MachineProfile& profile, const Screen& screen) {
  Table table({{.title = "processor"},
               {.title = "variant", .fit = Column::Fit::Id},
               {.title = "single stream, p90 ms", .right = true},
               {.title = "offline, pictures/s", .right = true},
               {.title = "at"}});
  for (const auto& [lane_id, lane] : profile.lanes) {
    for (const auto& [id, variant] : lane.variants) {
      const MeasuredPoint* one = variant.find(lane.best_threads(), 1);
      const Offline offline = offline_of(variant);
      table.row({lane_id, id, one != nullptr ? show_ms(one->p90) : "-",
                 fmt::format("{:.1f}", offline.pictures_per_s),
                 fmt::format("batch {}, {} thread{}", offline.batch, offline.threads,
                             offline.threads == 1 ? "" : "s")});
    }
  }
  return paragraph(
             "In the manner of MLPerf's single stream and offline scenarios. Not a submission: no "
             "LoadGen, no validation set, and decoding is counted.",
             screen) +
         table.text(screen);
}

json point_json(const std::string& lane, const std::string& id, const ProfiledVariant& variant,
                const MeasuredPoint& point, bool chosen) {
  json row{{"processor", lane},
           {"variant", id},
           {"threads", point.threads},
           {"batch", point.batch},
           {"chosen", chosen},
           {"samples", point.samples},
           {"latency_us_mean", point.mean.count},
           {"latency_us_low", point.low.count},
           {"latency_us_high", point.high.count},
           {"latency_us_min", point.min.count},
           {"latency_us_p50", point.p50.count},
           {"latency_us_p90", point.p90.count},
           {"latency_us_p95", point.p95.count},
           {"latency_us_p99", point.p99.count},
           {"pictures_per_s", pictures_per_s(point)},
           {"memory_bytes", variant.memory.count},
           {"load_us", variant.load.count}};
  if (point.energy.has_value()) {
    row.update({{"energy_uj", point.energy->value.count},
                {"energy_uj_low", point.energy->low.count},
                {"energy_uj_high", point.energy->high.count},
                {"energy_evidence", to_string(point.energy->evidence)},
                {"energy_scope", to_string(point.energy->scope)}});
  }
  if (point.power.has_value()) {
    row["power_mw"] = point.power->count;
  }
  if (point.temperature.has_value()) {
    row["temperature_millicelsius"] = *point.temperature;
  }
  return row;
}

json mode_json(const MeasuredMode& mode) {
  json entry = json::object();
  if (!mode.power_mode.empty()) {
    entry["power_mode"] = mode.power_mode;
  }
  const auto add = [&entry](const char* key, const auto& value) {
    if (value.has_value()) {
      entry[key] = *value;
    }
  };
  add("power_mode_id", mode.power_mode_id);
  add("clocks_locked", mode.clocks_locked);
  add("cpu_khz_max", mode.cpu_khz_max);
  add("gpu_hz_max", mode.gpu_hz_max);
  return entry;
}

using Key = std::tuple<std::string, std::string, int>;

struct Known {
  ProfilePoint point;
  MicrosInterval interval;
};

std::map<Key, Known> points_of(const BoardProfile& board) {
  std::map<Key, Known> points;
  for (std::size_t p = 0; p < board.processors.size(); ++p) {
    const Processor& processor = board.processors[p];
    for (std::size_t i = 0; i < processor.profiles.size(); ++i) {
      const Profile& profile = processor.profiles[i];
      for (std::size_t k = 0; k < profile.points.size(); ++k) {
        points[{processor.id, profile.variant, profile.points[k].batch}] = {
            profile.points[k], board.intervals.latency[p][i][k]};
      }
    }
  }
  return points;
}

double ratio(Micros a, Micros b) {
  return static_cast<double>(b.count) / static_cast<double>(std::max<std::int64_t>(a.count, 1));
}

std::string interval_text(Micros mean, const MicrosInterval& interval) {
  return fmt::format("{:.2f} [{:.2f}-{:.2f}]", ms(mean), ms(interval.low), ms(interval.high));
}

}  // namespace

std::string profile_table(const MachineProfile& profile, const Screen& screen) {
  std::vector<Column> columns{{.title = "processor", .leave_out = 3},
                              {.title = "variant", .fit = Column::Fit::Id},
                              {.title = "batch", .right = true},
                              {.title = "mean ms", .right = true},
                              {.title = "+-", .right = true},
                              {.title = "p50", .right = true, .leave_out = 2},
                              {.title = "p90", .right = true, .leave_out = 4},
                              {.title = "p99", .right = true},
                              {.title = "pictures/s", .right = true},
                              {.title = "runs", .right = true, .leave_out = 5},
                              {.title = "memory", .right = true},
                              {.title = "load ms", .right = true, .leave_out = 1}};
  const bool metered = profile.meter.has_value();
  if (metered) {
    columns.push_back({.title = "mJ above idle", .right = true});
    columns.push_back({.title = "W", .right = true, .leave_out = 6});
  }
  Table table(std::move(columns));
  for (const auto& [lane_id, lane] : profile.lanes) {
    const int threads = lane.best_threads();
    table.section(fmt::format("{}: {}, {} thread{}", lane_id, lane.runtime, threads,
                              threads == 1 ? "" : "s"));
    for (const auto& [id, variant] : lane.variants) {
      for (const MeasuredPoint& point : variant.points) {
        if (point.threads != threads) {
          continue;
        }
        std::vector<std::string> cells{lane_id,
                                       id,
                                       std::to_string(point.batch),
                                       show_ms(point.mean),
                                       show_ms(point.high - point.mean),
                                       show_ms(point.p50),
                                       show_ms(point.p90),
                                       show_ms(point.p99),
                                       fmt::format("{:.1f}", pictures_per_s(point)),
                                       std::to_string(point.samples),
                                       megabytes(variant.memory),
                                       fmt::format("{:.0f}", ms(variant.load))};
        if (metered) {
          cells.push_back(energy_text(point.energy));
          cells.push_back(power_text(point.power));
        }
        table.row(std::move(cells));
      }
    }
  }
  return table.text(screen) + "\n" + like_mlperf(profile, screen);
}

std::vector<std::string> slowdown_sentences(const MachineProfile& profile) {
  std::vector<std::string> sentences;
  for (const auto& [lane_id, lane] : profile.lanes) {
    for (const auto& [other, slowdown] : lane.slowdowns) {
      const auto times = [](std::int64_t permille) { return static_cast<double>(permille) / 1000; };
      sentences.push_back(fmt::format(
          "While {} computes, {} takes {:.2f} [{:.2f}-{:.2f}] times as long ({} beside {}).", other,
          lane_id, times(slowdown.permille), times(slowdown.low), times(slowdown.high),
          slowdown.variant, slowdown.beside_variant));
    }
  }
  return sentences;
}

json profile_json(const MachineProfile& profile) {
  json points = json::array();
  json lanes = json::array();
  json slowdowns = json::array();
  for (const auto& [lane_id, lane] : profile.lanes) {
    const int threads = lane.best_threads();
    lanes.push_back({{"id", lane_id},
                     {"kind", to_string(lane.kind)},
                     {"runtime", lane.runtime},
                     {"threads", threads}});
    for (const auto& [other, slowdown] : lane.slowdowns) {
      slowdowns.push_back({{"processor", lane_id},
                           {"beside", other},
                           {"permille", slowdown.permille},
                           {"permille_low", slowdown.low},
                           {"permille_high", slowdown.high},
                           {"variant", slowdown.variant},
                           {"beside_variant", slowdown.beside_variant},
                           {"samples", slowdown.samples}});
    }
    for (const auto& [id, variant] : lane.variants) {
      for (const MeasuredPoint& point : variant.points) {
        points.push_back(point_json(lane_id, id, variant, point, point.threads == threads));
      }
    }
  }
  json document{{"name", profile.name},   {"machine", profile.machine},
                {"date", profile.date},   {"energy_absent", profile.energy_absent},
                {"processors", lanes},    {"points", points},
                {"slowdowns", slowdowns}, {"mode", mode_json(profile.mode)}};
  if (profile.meter.has_value()) {
    const ProfileMeter& meter = *profile.meter;
    document["meter"] = {{"name", meter.name},
                         {"scope", to_string(meter.scope)},
                         {"evidence", to_string(meter.evidence)}};
    if (meter.at_rest.has_value()) {
      document["meter"].update({{"idle_mw", meter.at_rest->value.count},
                                {"idle_mw_low", meter.at_rest->low.count},
                                {"idle_mw_high", meter.at_rest->high.count}});
    }
  }
  return document;
}

Comparison compare_profiles(const BoardProfile& a, const BoardProfile& b) {
  const std::map<Key, Known> ours = points_of(a);
  const std::map<Key, Known> theirs = points_of(b);
  Comparison comparison;
  for (const auto& [key, known] : ours) {
    const auto other = theirs.find(key);
    if (other == theirs.end()) {
      comparison.only_a += 1;
      continue;
    }
    ComparedPoint point{std::get<0>(key),
                        std::get<1>(key),
                        std::get<2>(key),
                        known.interval,
                        other->second.interval,
                        known.point.latency_mean,
                        other->second.point.latency_mean,
                        std::nullopt,
                        std::nullopt};
    const std::optional<EnergyFigure>& mine = known.point.energy;
    const std::optional<EnergyFigure>& other_energy = other->second.point.energy;
    if (mine.has_value() && other_energy.has_value()) {
      if (mine->scope == other_energy->scope) {
        point.a_energy = mine;
        point.b_energy = other_energy;
      } else {
        comparison.other_scope += 1;
      }
    }
    comparison.points.push_back(std::move(point));
  }
  if (a.measured_on.has_value() && b.measured_on.has_value()) {
    comparison.modes = mode_differences(a.measured_on->mode, b.measured_on->mode);
  }
  comparison.only_b = theirs.size() - comparison.points.size();
  return comparison;
}

std::string comparison_table(const Comparison& comparison, const Screen& screen) {
  Table table({{.title = "processor", .leave_out = 2},
               {.title = "variant", .fit = Column::Fit::Id},
               {.title = "batch", .right = true},
               {.title = "A ms", .right = true},
               {.title = "B ms", .right = true},
               {.title = "B/A", .right = true},
               {.title = ""},
               {.title = "energy B/A", .right = true, .leave_out = 1}});
  for (const ComparedPoint& point : comparison.points) {
    std::string energy = "-";
    if (point.a_energy.has_value() && point.a_energy->value.count > 0) {
      energy = fmt::format("{:.2f} ({})",
                           static_cast<double>(point.b_energy->value.count) /
                               static_cast<double>(point.a_energy->value.count),
                           to_string(point.a_energy->scope));
    }
    table.row({point.processor, point.variant, std::to_string(point.batch),
               interval_text(point.a_mean, point.a), interval_text(point.b_mean, point.b),
               fmt::format("{:.2f}", ratio(point.a_mean, point.b_mean)),
               point.apart() ? "apart" : "", energy});
  }
  std::string text = table.text(screen);
  const auto apart = std::count_if(comparison.points.begin(), comparison.points.end(),
                                   [](const ComparedPoint& point) { return point.apart(); });
  text += "\n" + paragraph(fmt::format("{} points in both, {} of them apart: their intervals have "
                                       "nothing in common. {} only in A, {} only in B.",
                                       comparison.points.size(), apart, comparison.only_a,
                                       comparison.only_b),
                           screen);
  if (comparison.other_scope > 0) {
    text += paragraph(fmt::format("{} energies are of different meters, and are not compared.",
                                  comparison.other_scope),
                      screen);
  }
  if (!comparison.modes.empty()) {
    text += paragraph(fmt::format("Measured under different conditions, A and B: {}.",
                                  fmt::join(comparison.modes, "; ")),
                      screen);
  }
  return text;
}

json comparison_json(const Comparison& comparison) {
  json points = json::array();
  for (const ComparedPoint& point : comparison.points) {
    json row{{"processor", point.processor}, {"variant", point.variant},
             {"batch", point.batch},         {"a_us", point.a_mean.count},
             {"b_us", point.b_mean.count},   {"ratio", ratio(point.a_mean, point.b_mean)},
             {"apart", point.apart()}};
    if (point.a_energy.has_value()) {
      row.update({{"scope", to_string(point.a_energy->scope)},
                  {"a_uj", point.a_energy->value.count},
                  {"b_uj", point.b_energy->value.count}});
    }
    points.push_back(std::move(row));
  }
  return {{"points", points},
          {"only_a", comparison.only_a},
          {"only_b", comparison.only_b},
          {"energies_of_other_scopes", comparison.other_scope},
          {"different_modes", comparison.modes}};
}

}  // namespace juggler
