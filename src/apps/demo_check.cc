#include "apps/demo_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/check.h"

namespace juggler {
namespace {

using Choices = std::set<std::string>;

// Where and by what the completed ones were served.
Choices choices(const std::vector<ClientAnswer>& answers) {
  Choices choices;
  for (const ClientAnswer& answer : answers) {
    if (completed(answer)) {
      const Outcome& outcome = answer.outcome;
      choices.insert(fmt::format("{} {} {}", outcome.device, outcome.processor, outcome.variant));
    }
  }
  return choices;
}

std::string problem_of(DemoSet::Expect expect, const std::vector<ClientAnswer>& answers) {
  const auto rejected = [](const ClientAnswer& answer) {
    return answer.end == ClientEnd::Answered && answer.outcome.kind == OutcomeKind::Rejected;
  };
  const auto answered = [](const ClientAnswer& answer) {
    return answer.end == ClientEnd::Answered && answer.outcome.kind != OutcomeKind::Failed;
  };
  switch (expect) {
    case DemoSet::Expect::Completed:
      return std::all_of(answers.begin(), answers.end(), completed) ? "" : "not all were completed";
    case DemoSet::Expect::InTime:
      if (!std::all_of(answers.begin(), answers.end(), answered)) {
        return "a task failed or was not answered";
      }
      return std::any_of(answers.begin(), answers.end(), completed) ? "" : "none was completed";
    case DemoSet::Expect::Rejected:
      return std::all_of(answers.begin(), answers.end(), rejected) ? "" : "not all were rejected";
  }
  return "?";
}

}  // namespace

bool completed(const ClientAnswer& answer) {
  return answer.end == ClientEnd::Answered && answer.outcome.kind == OutcomeKind::Completed;
}

std::string problem_of(const DemoSet& set, const std::vector<std::vector<ClientAnswer>>& answers) {
  JUGGLER_CHECK(!answers.empty(), "a set is judged by its answers");
  if (std::string problem = problem_of(set.expect, answers.back()); !problem.empty()) {
    return problem;
  }
  const Choices chosen = choices(answers.back());
  if (set.beyond.has_value()) {
    const Choices before = choices(answers.at(*set.beyond));
    if (std::includes(before.begin(), before.end(), chosen.begin(), chosen.end())) {
      return "no processor or variant served that does not serve without this requirement";
    }
  }
  if (set.unlike.has_value() && choices(answers.at(*set.unlike)) == chosen) {
    return "the same processors and variants served as without this requirement";
  }
  return "";
}

}  // namespace juggler
