#include "core/objective.h"

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<Goal>, 4> kGoals{{{Goal::Energy, "energy"},
                                             {Goal::Balanced, "balanced"},
                                             {Goal::Latency, "latency"},
                                             {Goal::Accuracy, "accuracy"}}};

}  // namespace

ExchangeRates rates_of(Goal goal) {
  switch (goal) {
    case Goal::Energy:
      return {};
    case Goal::Balanced:
      return {.latency_mw = 300, .holding_mw = 300, .accuracy_uj_per_point = 2'000};
    case Goal::Latency:
      return {.latency_mw = 100'000, .holding_mw = 100'000};
    case Goal::Accuracy:
      return {.latency_mw = 100, .accuracy_uj_per_point = 20'000};
  }
  return {};
}

std::string_view to_string(Goal goal) { return name_of(kGoals, goal); }
std::optional<Goal> parse_goal(std::string_view name) { return value_of(kGoals, name); }

}  // namespace juggler
