#pragma once
// Which requirements the demonstration shows: chosen for the fleet that is there, from the
// controller's list of models, so that each set really changes the choice.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/task.h"

namespace juggler {

struct DemoSet {
  enum class Show {
    Each,     // one row per picture, one task at a time
    Grouped,  // all at once; one row per place that served them
  };
  enum class Expect {
    Completed,  // everything
    InTime,     // some; what cannot be in time may be refused
    Rejected,   // everything
  };
  std::string title;
  Requirements requirements;
  Show show = Show::Each;
  Expect expect = Expect::Completed;
  std::size_t pictures_max = SIZE_MAX;
  int repeat = 1;
  // It is there to show that a requirement changes the choice, which is held against the set with
  // this number. `beyond`: a visible share of its tasks is served by processors or variants that
  // served none of that one. `unlike`: its energy limit keeps out a visible share of what served
  // that one. Shares, because in a burst a few tasks go elsewhere in any case.
  std::optional<std::size_t> beyond;
  std::optional<std::size_t> unlike;
  Micros
      usual_takes{};  // the usual processor, for all of its tasks in full batches, by the profile
};

// `answer`: of the query `models`. `local`: this machine's name, empty if it takes no part.
std::vector<DemoSet> demo_sets(const nlohmann::json& answer, const std::string& local,
                               std::size_t pictures);

// Whether any variant there has trained weights.
bool any_pretrained(const nlohmann::json& answer);

}  // namespace juggler
