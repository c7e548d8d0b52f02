#pragma once
// One table per enumeration serves both directions: name of a value, value of a name.

#include <array>
#include <optional>
#include <string_view>

namespace juggler {

template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};

template <class Enum, std::size_t N>
constexpr std::string_view name_of(const std::array<Named<Enum>, N>& table, Enum value) {
  for (const Named<Enum>& entry : table) {
    if (entry.value == value) {
      return entry.name;
    }
  }
  return "?";
}

template <class Enum, std::size_t N>
constexpr std::optional<Enum> value_of(const std::array<Named<Enum>, N>& table,
                                       std::string_view name) {
  for (const Named<Enum>& entry : table) {
    if (entry.name == name) {
      return entry.value;
    }
  }
  return std::nullopt;
}

}  // namespace juggler
