#pragma once
// A machine's profile, and two of them side by side, as tables and as JSON.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/table.h"
#include "files/board_profile.h"
#include "inference/machine_profile.h"

namespace juggler {

// Every variant on the number of threads that its processor serves best with, and below it what
// MLPerf would call single stream and offline, which is no submission.
std::string profile_table(const MachineProfile& profile, const Screen& screen);
// One for each lane beside each other, where that was measured.
std::vector<std::string> slowdown_sentences(const MachineProfile& profile);
nlohmann::json profile_json(const MachineProfile& profile);

// One point that two profiles have.
struct ComparedPoint {
  std::string processor;
  std::string variant;
  int batch = 1;
  MicrosInterval a;
  MicrosInterval b;
  Micros a_mean;
  Micros b_mean;
  // Above idle; only where both have one at the same scope: other joules are not compared.
  std::optional<EnergyFigure> a_energy;
  std::optional<EnergyFigure> b_energy;

  // Whether the intervals of the means have nothing in common.
  bool apart() const { return a.high < b.low || b.high < a.low; }
};

struct Comparison {
  std::vector<ComparedPoint> points;
  std::size_t only_a = 0;
  std::size_t only_b = 0;
  std::size_t other_scope = 0;       // both have an energy, of different meters
  std::vector<std::string> modes{};  // in what the modes and clocks differ, where both say
};

Comparison compare_profiles(const BoardProfile& a, const BoardProfile& b);
std::string comparison_table(const Comparison& comparison, const Screen& screen);
nlohmann::json comparison_json(const Comparison& comparison);

}  // namespace juggler
