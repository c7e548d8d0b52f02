#include "wire/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <type_traits>
#include <utility>

#include "wire/state_visit.h"

namespace juggler::wire {
namespace {

// In the order of the parts.
constexpr std::array<std::string_view, std::variant_size_v<StatePart>> kParts{
    "whole",   "device",  "task",   "answered", "timer",
    "publish", "attempt", "orphan", "decided",  "end"};

template <class Part>
std::string line_of(const char* name, const Part& part) {
  JsonWriter writer;
  writer.begin_object();
  writer.text("state", name);
  if constexpr (std::is_same_v<Part, StateEnd>) {
    put_bits(writer, "digest", part.digest);
  } else {
    visit_fields(part, PartWriter(writer));
  }
  writer.end_object();
  return writer.take();
}

template <class Part>
StatePart read_part(ObjectReader& reader, Part part) {
  visit_fields(part, PartReader(reader));
  return part;
}

Error damaged(const std::string& what) { return fail(ErrorCode::Corrupt, "a checkpoint " + what); }

// Adds a line to what has been read.
void add_part(ControllerState& state, const StatePart& part) {
  std::visit(
      [&state]<class Part>(const Part& read) {
        if constexpr (std::is_same_v<Part, ControllerState::Whole>) {
          state.whole = read;
        } else if constexpr (std::is_same_v<Part, DeviceState>) {
          state.devices.push_back(read);
        } else if constexpr (std::is_same_v<Part, LiveTask>) {
          state.tasks.push_back(read);
        } else if constexpr (std::is_same_v<Part, Answered>) {
          state.answered.push_back(read);
        } else if constexpr (std::is_same_v<Part, ControllerState::SetTimer>) {
          state.timers.push_back(read);
        } else if constexpr (std::is_same_v<Part, ControllerState::SentPublish>) {
          state.publishes.push_back(read);
        } else if constexpr (std::is_same_v<Part, ControllerState::RunningAttempt>) {
          state.attempts.push_back(read);
        } else if constexpr (std::is_same_v<Part, Orphan>) {
          state.orphans.push_back(read);
        } else if constexpr (std::is_same_v<Part, DecidedRead>) {
          state.early_decided.push_back(read);
        }
      },
      part);
}

}  // namespace

std::string text_of(const Numbers& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) {
    if (!text.empty()) {
      text.push_back(' ');
    }
    const fmt::format_int digits(number);
    text.append(digits.data(), digits.size());
  }
  return text;
}

std::optional<Numbers> numbers_of(std::string_view text) {
  Numbers numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t number = 0;
    const auto [stop, failed] = std::from_chars(at, end, number);
    if (failed != std::errc() || (stop != end && (*stop != ' ' || stop + 1 == end))) {
      return std::nullopt;
    }
    numbers.push_back(number);
    at = stop == end ? end : stop + 1;
  }
  return numbers;
}

std::string encode_state_part(const StatePart& part) {
  const char* name = kParts.at(part.index()).data();
  return std::visit([name](const auto& held) { return line_of(name, held); }, part);
}

std::string encode_state(const ControllerState& state) {
  std::string lines;
  Digest digest;
  const auto add = [&](const char* name, const auto& part) {
    const std::string line = line_of(name, part);
    digest.add(line);
    lines += line;
    lines += '\n';
  };
  const auto add_all = [&](const char* name, const auto& parts) {
    for (const auto& part : parts) {
      add(name, part);
    }
  };
  add("whole", state.whole);
  add_all("device", state.devices);
  add_all("task", state.tasks);
  add_all("answered", state.answered);
  add_all("timer", state.timers);
  add_all("publish", state.publishes);
  add_all("attempt", state.attempts);
  add_all("orphan", state.orphans);
  add_all("decided", state.early_decided);
  lines += encode_state_part(StateEnd{digest.value()}) + "\n";
  return lines;
}

StatePart read_state_part(ObjectReader& reader) {
  const std::string_view name = reader.text("state", 64);
  const auto at = std::find(kParts.begin(), kParts.end(), name);
  switch (at - kParts.begin()) {
    case 0:
      return read_part(reader, ControllerState::Whole{});
    case 1:
      return read_part(reader, DeviceState{});
    case 2:
      return read_part(reader, LiveTask{});
    case 3:
      return read_part(reader, Answered{Outcome{}, std::nullopt});
    case 4:
      return read_part(reader, ControllerState::SetTimer{});
    case 5:
      return read_part(reader, ControllerState::SentPublish{});
    case 6:
      return read_part(reader, ControllerState::RunningAttempt{});
    case 7:
      return read_part(reader, Orphan{});
    case 8:
      return read_part(reader, DecidedRead{});
    case 9:
      return StateEnd{get_bits(reader, "digest")};
    default:
      reader.complain("state", fmt::format("has the unknown value '{}'", name));
      return StateEnd{};
  }
}

Result<std::optional<ControllerState>> StateReader::add(const StatePart& part) {
  if (std::holds_alternative<ControllerState::Whole>(part)) {
    state_.emplace();
    digest_ = Digest();
  } else if (!state_.has_value()) {
    return damaged("has no beginning");
  }
  if (const auto* end = std::get_if<StateEnd>(&part)) {
    std::optional<ControllerState> whole = std::exchange(state_, std::nullopt);
    if (end->digest != digest_.value()) {
      return damaged("was changed, or lines of it are missing");
    }
    return whole;
  }
  // What is read is written as it was.
  digest_.add(encode_state_part(part));
  add_part(*state_, part);
  return std::optional<ControllerState>();
}

}  // namespace juggler::wire
