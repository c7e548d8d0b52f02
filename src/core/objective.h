#pragma once
// What a policy weighs against energy, as exchange rates in energy: the one scale on which
// candidates are compared.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/units.h"

namespace juggler {

// The user's choice; the rates behind each are in rates_of().
enum class Goal {
  Energy,    // the least energy that meets the requirements
  Balanced,  // a second until the answer is worth 300 mJ, a point of accuracy 2 mJ
  Latency,   // a second until the answer is worth 100 J
  Accuracy,  // a point of accuracy is worth 20 mJ
};

struct ExchangeRates {          // energy per second or per point: 1 mW for a second is 1 mJ
  std::int64_t latency_mw = 0;  // what a second until the answer is worth, in mJ
  // What a second is worth for which a task is held back for company. Not nothing even where only
  // energy counts: a task with 20 s to spare should not wait 20 s to save 20 mJ.
  std::int64_t holding_mw = 100;
  std::int64_t accuracy_uj_per_point = 0;  // what a point of top-1 accuracy is worth

  friend bool operator==(const ExchangeRates&, const ExchangeRates&) = default;
};

ExchangeRates rates_of(Goal goal);
std::string_view to_string(Goal goal);
std::optional<Goal> parse_goal(std::string_view name);

enum class Batching {
  Never,    // every task alone
  Natural,  // what waits for a processor anyway runs together
  Planned,  // batches are held back for company inside the deadlines, and company is counted on
};

// How candidates are judged. The baselines are content with the default; ablations of `juggler`
// switch parts off.
struct Objective {
  ExchangeRates rates;
  bool energy = true;  // counts energy at all
  Batching batching = Batching::Natural;
  bool prices = false;   // counts what a processor's time is worth to others
  bool loading = false;  // counts how long a variant loads, and has them loaded ahead
};

}  // namespace juggler
