#pragma once
// What `juggler profile` measures: the lanes of this machine, or a twin's, which answers with its
// profile's times at once instead of after them.

#include <filesystem>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "core/result.h"
#include "inference/machine_profiler.h"

namespace juggler {

struct ProfileFlags {
  std::string home;
  std::string host_root = "/";
  std::string meter = "auto";
  std::string lanes;
  std::vector<std::string> variants;
  std::vector<int> batches{1, 2, 4};
  std::vector<int> threads;  // empty: 1, 2, 4, … and all cores
  std::string twin;
  std::string name = "this-machine";
  std::string out;
  std::string device;
  std::string note;
  std::vector<std::string> power_modes;  // to go through, one profile for each; empty: as it is
  double precision_percent = 2.0;
  std::optional<Micros> time_max;  // for one point
  bool again = false;
  bool json = false;
  std::string a;  // of compare
  std::string b;
};

void declare_profile_flags(CLI::App& command, ProfileFlags& flags);
MeasuringGoal goal_of(const ProfileFlags& flags);

struct ProfiledMachine {
  std::string name;
  std::string title;
  std::string processor;
  Bytes memory;
  std::string energy_absent;  // why no energy is measured
  Catalogue catalogue;
  std::vector<LaneUnderTest> lanes;
  std::vector<std::string> notes;
  MeasuredMode mode;                              // the power mode and clocks that are set
  BoardCurves curves;                             // a twin's: in no time nothing becomes warm
  std::vector<Processor> published;               // of the board's profile, to check against
  std::optional<ScopeConversion> to_board_input;  // of that profile, for meters of its scope
};

// errors  InvalidArgument: flags or files that say something impossible; no lane can be opened
Result<ProfiledMachine> open_profiled(const ProfileFlags& flags, const std::filesystem::path& home);

}  // namespace juggler
