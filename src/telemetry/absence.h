#pragma once
// A value, or why there is none: what cannot be read is absent with its reason, never a number.

#include <optional>
#include <string>
#include <string_view>

namespace juggler {

enum class Absence {
  None,       // it is there
  Missing,    // no such file, sensor or device
  Denied,     // it is there, and this user may not read it
  Masked,     // hidden from this container
  NoData,     // the sensor has nothing to say now: its domain is off
  Malformed,  // it says something impossible
  Failed,     // reading it failed in another way
};

std::string_view to_string(Absence absence);

// What a failed system call says of a file.
Absence absence_of(int error_number);

template <class T>
struct Fact {
  std::optional<T> value;
  Absence why = Absence::Missing;  // None where there is a value
  std::string source;              // the file, below the host's root

  static Fact of(T value, std::string source) {
    return {std::move(value), Absence::None, std::move(source)};
  }
  static Fact absent(Absence why, std::string source = {}) {
    return {std::nullopt, why, std::move(source)};
  }
};

}  // namespace juggler
