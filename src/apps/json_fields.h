#pragma once
// Fields of a controller's answer with a default where they are missing or of another type: an
// answer may come from another version.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/evidence.h"

namespace juggler {

inline std::string text_of(const nlohmann::json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

inline std::optional<std::int64_t> integer_of(const nlohmann::json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? std::optional(at->get<std::int64_t>())
                                                       : std::nullopt;
}

inline std::optional<double> number_of(const nlohmann::json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

inline bool flag_of(const nlohmann::json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

// The elements of an array; an empty one where there is none.
inline const nlohmann::json& list_of(const nlohmann::json& object, const char* key) {
  static const nlohmann::json kNone = nlohmann::json::array();
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : kNone;
}

inline std::optional<EnergyFigure> energy_of(const nlohmann::json& object) {
  const auto value = integer_of(object, "energy_uj");
  if (!value.has_value()) {
    return std::nullopt;
  }
  EnergyFigure energy;
  energy.value = {*value};
  energy.low = {integer_of(object, "energy_uj_low").value_or(*value)};
  energy.high = {integer_of(object, "energy_uj_high").value_or(*value)};
  energy.evidence = parse_evidence(text_of(object, "energy_evidence")).value_or(Evidence::Assumed);
  energy.scope =
      parse_power_scope(text_of(object, "energy_scope")).value_or(PowerScope::BoardInput);
  return energy;
}

}  // namespace juggler
