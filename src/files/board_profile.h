#pragma once
// Board profiles: `<board>.toml`, what inference costs on a board (format: docs/profiles.md), and
// `device-<id>.toml`, the same for one device that Juggler has measured.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/board_curves.h"
#include "core/device.h"
#include "core/result.h"
#include "files/beside_rows.h"
#include "files/energy.h"
#include "files/measured_mode.h"

namespace juggler {

struct MeasuredVariant {
  std::string model_sha256;
  std::int64_t samples = 0;  // runs of batch 1

  friend bool operator==(const MeasuredVariant&, const MeasuredVariant&) = default;
};

// What a measured profile is valid for.
struct MeasuredOn {
  std::string date;     // ISO 8601
  std::string machine;  // the processor's name
  std::string runtime_version;
  int threads = 1;
  std::map<std::string, MeasuredVariant> variants;
  MeasuredMode mode{};  // the power mode and clocks that were set

  friend bool operator==(const MeasuredOn&, const MeasuredOn&) = default;
};

// The interval of a mean that nobody measured exactly. Both ends equal the figure where it is
// known.
struct MicrosInterval {
  Micros low;
  Micros high;

  friend bool operator==(const MicrosInterval&, const MicrosInterval&) = default;
};

// What the figures of a board may really be: not announced by devices, but drawn from by
// simulations. Energies carry their interval themselves.
struct FactsIntervals {
  // [processor][profile][point], in the order of the processors.
  std::vector<std::vector<std::vector<MicrosInterval>>> latency;
  Milliwatts idle_low;  // 0 where idle power is unknown
  Milliwatts idle_high;
  std::int64_t to_board_input_low_permille = 1000;
  std::int64_t to_board_input_high_permille = 1000;

  friend bool operator==(const FactsIntervals&, const FactsIntervals&) = default;
};

struct BoardProfile {
  std::string board;
  std::string title;
  Bytes memory;  // 0 where the file does not say
  std::optional<Milliwatts> idle;
  std::optional<BusyPower> busy;  // above idle, where there is no figure per variant
  ScopeConversion to_board_input;
  std::vector<Processor> processors;  // sorted by id, their profiles by variant
  // Of each processor, what its `slowed_by` was taken from.
  std::vector<std::vector<MeasuredSlowdown>> slowdowns;
  BoardCurves curves;  // warm-up and heat, for twins and simulations
  FactsIntervals intervals;
  std::optional<MeasuredOn> measured_on;
};

// errors  file, line and reason
Result<BoardProfile> load_board_profile(const std::filesystem::path& file);
Result<BoardProfile> parse_board_profile(std::string_view text, const std::string& origin);

// The profile of a board by its name.
//
// errors  NotFound with what was tried and which boards there are.
Result<BoardProfile> find_board_profile(const std::string& board,
                                        const std::filesystem::path& home);

// The boards that a twin can stand for, sorted.
std::vector<std::string> list_boards(const std::filesystem::path& home);

}  // namespace juggler
