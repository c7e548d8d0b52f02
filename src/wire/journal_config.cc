#include "wire/journal_config.h"

#include <limits>
#include <type_traits>

namespace juggler::wire {
namespace {

constexpr std::int64_t kQuantityMax = INT64_MAX / 1024;  // sums of a few stay whole
constexpr std::int64_t kCountMax = 1'000'000'000;

// Every field with its key. A field that is new does not compile until it is named here: a replay
// without it would be another controller.
template <class Config, class Visit>
void each_field(Config& config, Visit visit) {
  auto& [auto_model, allow_synthetic, min_accuracy, deadline, max_energy, power_max, deadline_max,
         attempts_max, tasks_max, tasks_bytes_max, answered_max, answered_bytes_max, devices_max,
         replans_max, reconsidered_max, decisions_max, decision_lanes_max, learns, hedges, warm_up,
         adopt_wait, liveness_period, ask_after, suspect_after, lost_after, beat_min,
         beats_per_second_max, beat_told_again, calm_after, silence_period_min, own_stall,
         gone_after, forgotten_after, learned_fades_after, attempt_grace, resend_after, resends_max,
         orphan_result_max, breaker, seed] = config;
  visit("adopt_wait_us", adopt_wait);
  visit("allow_synthetic", allow_synthetic);
  visit("answered_bytes_max", answered_bytes_max);
  visit("answered_max", answered_max);
  visit("ask_after_us", ask_after);
  visit("attempt_grace_us", attempt_grace);
  visit("attempts_max", attempts_max);
  visit("auto_model", auto_model);
  visit("beat_min_us", beat_min);
  visit("beat_told_again_us", beat_told_again);
  visit("beats_per_second_max", beats_per_second_max);
  visit("breaker_at_once_us", breaker.at_once);
  visit("breaker_failures", breaker.failures);
  visit("breaker_pause_us", breaker.pause);
  visit("breaker_pause_us_max", breaker.pause_max);
  visit("calm_after_us", calm_after);
  visit("deadline_us", deadline);
  visit("deadline_us_max", deadline_max);
  visit("decision_lanes_max", decision_lanes_max);
  visit("decisions_max", decisions_max);
  visit("devices_max", devices_max);
  visit("forgotten_after_us", forgotten_after);
  visit("gone_after_us", gone_after);
  visit("hedges", hedges);
  visit("learned_fades_after_us", learned_fades_after);
  visit("learns", learns);
  visit("liveness_period_us", liveness_period);
  visit("lost_after_us", lost_after);
  visit("max_energy_uj", max_energy);
  visit("min_accuracy_millipercent", min_accuracy);
  visit("orphan_result_us_max", orphan_result_max);
  visit("own_stall_us", own_stall);
  visit("power_mw_max", power_max);
  visit("reconsidered_max", reconsidered_max);
  visit("replans_max", replans_max);
  visit("resend_after_us", resend_after);
  visit("resends_max", resends_max);
  visit("seed", seed);
  visit("silence_period_us_min", silence_period_min);
  visit("suspect_after_us", suspect_after);
  visit("tasks_bytes_max", tasks_bytes_max);
  visit("tasks_max", tasks_max);
  visit("warm_up_us", warm_up);
}

struct FieldWriter {
  JsonWriter& writer;

  void operator()(const char* key, const std::string& value) const { writer.text(key, value); }
  void operator()(const char* key, bool value) const { writer.flag(key, value); }
  // A seed is any 64 bits: as the signed number of the same bits.
  template <class Number>
  requires std::is_integral_v<Number>
  void operator()(const char* key, Number value) const {
    writer.integer(key, static_cast<std::int64_t>(value));
  }
  template <class Tag>
  void operator()(const char* key, Quantity<Tag> value) const {
    writer.integer(key, value.count);
  }
  template <class Tag>
  void operator()(const char* key, const std::optional<Quantity<Tag>>& value) const {
    if (value.has_value()) {
      writer.integer(key, value->count);
    }
  }
};

struct FieldReader {
  ObjectReader& reader;

  void operator()(const char* key, std::string& value) const {
    value = reader.string_or(key, value, kModelNameMax);
  }
  void operator()(const char* key, bool& value) const { value = reader.boolean_or(key, value); }
  void operator()(const char* key, int& value) const {
    value = static_cast<int>(reader.integer_or(key, value, 0, kCountMax));
  }
  void operator()(const char* key, std::size_t& value) const {
    if (std::string_view(key) == "seed") {
      value = static_cast<std::size_t>(
          reader.integer_or(key, static_cast<std::int64_t>(value), INT64_MIN, INT64_MAX));
    } else {
      value = static_cast<std::size_t>(
          reader.integer_or(key, static_cast<std::int64_t>(value), 0, kCountMax));
    }
  }
  template <class Tag>
  void operator()(const char* key, Quantity<Tag>& value) const {
    value = {reader.integer_or(key, value.count, 0, kQuantityMax)};
  }
  template <class Tag>
  void operator()(const char* key, std::optional<Quantity<Tag>>& value) const {
    if (const auto count = reader.optional_integer(key, 0, kQuantityMax)) {
      value = Quantity<Tag>{*count};
    }
  }
};

}  // namespace

void write_config(JsonWriter& writer, const ControllerConfig& config) {
  each_field(config, FieldWriter{writer});
}

ControllerConfig read_config(ObjectReader& reader) {
  ControllerConfig config;
  each_field(config, FieldReader{reader});
  return config;
}

}  // namespace juggler::wire
