#pragma once
// Quantities as integers with their unit in the type, so that decisions are equal on every machine
// and no two units are added by mistake.

#include <compare>
#include <cstdint>
#include <limits>

namespace juggler {

// An integer count of one unit; `Tag` names the unit.
template <class Tag>
struct Quantity {
  std::int64_t count = 0;

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.count + b.count}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.count - b.count}; }
  friend constexpr Quantity operator*(Quantity a, std::int64_t k) { return {a.count * k}; }
  friend constexpr Quantity operator/(Quantity a, std::int64_t k) { return {a.count / k}; }
  constexpr Quantity& operator+=(Quantity b) { return count += b.count, *this; }
  constexpr Quantity& operator-=(Quantity b) { return count -= b.count, *this; }
};

using Micros = Quantity<struct MicrosTag>;              // a duration
using Microjoules = Quantity<struct MicrojoulesTag>;    // an energy
using Milliwatts = Quantity<struct MilliwattsTag>;      // a power
using Bytes = Quantity<struct BytesTag>;                // a size
using MilliPercent = Quantity<struct MilliPercentTag>;  // an accuracy: 75.1 % is 75'100

constexpr Micros milliseconds(std::int64_t count) { return {count * 1'000}; }
constexpr Micros seconds(std::int64_t count) { return {count * 1'000'000}; }
constexpr Bytes mebibytes(std::int64_t count) { return {count << 20U}; }

// A point in time: microseconds since an origin that the owner of the clock chose.
struct Time {
  std::int64_t us = 0;

  friend constexpr auto operator<=>(Time, Time) = default;
  friend constexpr Time operator+(Time t, Micros d) { return {t.us + d.count}; }
  friend constexpr Time operator-(Time t, Micros d) { return {t.us - d.count}; }
  friend constexpr Micros operator-(Time a, Time b) { return {a.us - b.us}; }

  static constexpr Time never() { return {std::numeric_limits<std::int64_t>::max()}; }
};

}  // namespace juggler
