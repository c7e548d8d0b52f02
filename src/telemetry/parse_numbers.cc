#include "telemetry/parse_numbers.h"

#include <algorithm>
#include <charconv>

namespace juggler {
namespace {

constexpr std::string_view kSpaces = " \t";
constexpr std::size_t kCoresMax = 1024;

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
}

bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<std::int64_t> take_integer(std::string_view& text) {
  skip_spaces(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) { return take_integer(text); }

std::optional<std::int64_t> parse_decimal(std::string_view text, int digits) {
  skip_spaces(text);
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) {
    text.remove_prefix(1);
  }
  if (text.empty() || !digit(text.front())) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  int fraction = -1;  // digits after the point; none yet
  for (const char c : text) {
    if (c == '.' && fraction < 0) {
      fraction = 0;
      continue;
    }
    if (!digit(c)) {
      break;
    }
    if (fraction >= digits) {
      continue;  // finer than asked for
    }
    if (value > (INT64_MAX - 9) / 10) {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
    fraction += fraction >= 0 ? 1 : 0;
  }
  for (int i = std::max(fraction, 0); i < digits; ++i) {
    if (value > INT64_MAX / 10) {
      return std::nullopt;
    }
    value *= 10;
  }
  return negative ? -value : value;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  skip_spaces(text);
  if (text.substr(0, 2) == "0x") {
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

std::optional<std::vector<int>> parse_core_list(std::string_view text) {
  std::vector<int> cores;
  while (!text.empty()) {
    const std::optional<std::int64_t> first = take_integer(text);
    std::optional<std::int64_t> last = first;
    if (first.has_value() && !text.empty() && text.front() == '-') {
      text.remove_prefix(1);
      last = take_integer(text);
    }
    if (!first.has_value() || !last.has_value() || *first < 0 || *last < *first ||
        *last >= static_cast<std::int64_t>(kCoresMax) ||
        cores.size() + static_cast<std::size_t>(*last - *first) >= kCoresMax) {
      return std::nullopt;
    }
    for (std::int64_t core = *first; core <= *last; ++core) {
      cores.push_back(static_cast<int>(core));
    }
    if (!text.empty() && text.front() == ',') {
      text.remove_prefix(1);
    } else if (!text.empty()) {
      return std::nullopt;
    }
  }
  return cores.empty() ? std::nullopt : std::optional(std::move(cores));
}

std::optional<std::string_view> take_line(std::string_view& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& text) {
  skip_spaces(text);
  const std::size_t end = std::min(text.find_first_of(kSpaces), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

}  // namespace juggler
