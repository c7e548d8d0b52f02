#pragma once
// What a device has measured of one of its processors: a board profile with the conditions that it
// holds for. `<home>/profiles/device-<id>.toml` for cpu0, `device-<id>.<processor>.toml` for
// others.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "files/board_profile.h"

namespace juggler {

inline constexpr const char* kCpuLane = "cpu0";

// The measurements of one device on one processor.
struct Calibration {
  MeasuredOn on;
  std::string board;
  std::string title;
  std::string processor = kCpuLane;
  ProcessorKind kind = ProcessorKind::Cpu;
  std::vector<Profile> profiles;            // sorted by variant, without energy: see local_device.h
  std::vector<MeasuredSlowdown> slowdowns;  // by `juggler profile`: a quick calibration has none

  const Profile* find(const std::string& variant) const;
  // Adds a profile, or replaces that of its variant.
  void set(Profile profile, MeasuredVariant variant);
};

std::filesystem::path calibration_file(const std::filesystem::path& home, const std::string& device,
                                       const std::string& processor = kCpuLane);

Result<Calibration> load_calibration(const std::filesystem::path& file);
Result<Calibration> parse_calibration(std::string_view text, const std::string& origin);
// Replaces the file as a whole; makes its folder.
Result<void> save_calibration(const Calibration& calibration, const std::filesystem::path& file);

}  // namespace juggler
