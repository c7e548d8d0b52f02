#include "apps/demo_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/quantities.h"
#include "core/check.h"

namespace juggler {
namespace {

using Answers = std::vector<ClientAnswer>;
using Choices = std::set<std::string>;

// With the deadline as it is, 27 to 38 % of the tasks go elsewhere in the fleet of `make run`; with
// ten times as much, 7 %.
constexpr std::ptrdiff_t kVisibleShare = 8;  // one in so many

// Percent of the time that the usual processor takes by the p95 of its profile, within which it can
// have served all after all.
constexpr std::int64_t kEnough = 90;

bool visible(std::ptrdiff_t tasks, const Answers& of) {
  return tasks * kVisibleShare >= std::ssize(of);
}

// Where and by what it was served.
std::string choice(const Outcome& outcome) {
  return fmt::format("{} {} {}", outcome.device, outcome.processor, outcome.variant);
}

Choices choices(const Answers& answers) {
  Choices choices;
  for (const ClientAnswer& answer : answers) {
    if (completed(answer)) {
      choices.insert(choice(answer.outcome));
    }
  }
  return choices;
}

std::ptrdiff_t served_elsewhere(const Answers& answers, const Choices& known) {
  return std::count_if(answers.begin(), answers.end(), [&](const ClientAnswer& answer) {
    return completed(answer) && !known.contains(choice(answer.outcome));
  });
}

// In the meters' scopes, which may read lower than the boards' inputs.
std::ptrdiff_t above(Microjoules limit, const Answers& answers) {
  return std::count_if(answers.begin(), answers.end(), [&](const ClientAnswer& answer) {
    return completed(answer) && answer.outcome.energy.has_value() &&
           answer.outcome.energy->high > limit;
  });
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

// How far apart they came to the controller.
Micros span_of(const Answers& answers) {
  Time first = Time::never();
  Time last;
  for (const ClientAnswer& answer : answers) {
    if (answer.end == ClientEnd::Answered) {
      const Time received = answer.sent + answer.round_trip - answer.outcome.total;
      first = std::min(first, received);
      last = std::max(last, received);
    }
  }
  return first < last ? last - first : Micros{0};
}

// On a machine that is busy otherwise, tasks of a burst come one by one, and the usual processor
// gets through them by their deadlines. Empty where it cannot have.
std::string hindrance_of(const DemoSet& set, const Answers& answers) {
  const Micros span = span_of(answers);
  const Micros deadline = set.requirements.deadline.value_or(Micros{0});
  if (set.usual_takes == Micros{0} || span + deadline < set.usual_takes * kEnough / 100) {
    return "";
  }
  return fmt::format(
      "these tasks came over {}, since this machine is busy otherwise: too slowly to need more "
      "than "
      "the usual processor",
      show(span));
}

// What a requirement should have changed, and did not.
std::string unchanged_by(const DemoSet& set, const std::vector<Answers>& answers) {
  const Answers& now = answers.back();
  if (set.beyond.has_value() &&
      !visible(served_elsewhere(now, choices(answers.at(*set.beyond))), now)) {
    return "hardly a task was served by what does not serve without this requirement";
  }
  if (set.unlike.has_value()) {
    const Answers& before = answers.at(*set.unlike);
    if (choices(before) == choices(now)) {
      return "the same processors and variants served as without this requirement";
    }
    const Microjoules limit = set.requirements.max_energy.value_or(Microjoules{0});
    if (!visible(above(limit, before), before)) {
      return "the limit keeps out hardly anything that served without it";
    }
    if (visible(above(limit, now), now)) {
      return "what served needs more than the limit";
    }
  }
  return "";
}

}  // namespace

bool completed(const ClientAnswer& answer) {
  return answer.end == ClientEnd::Answered && answer.outcome.kind == OutcomeKind::Completed;
}

DemoVerdict judge(const DemoSet& set, const std::vector<Answers>& answers) {
  JUGGLER_CHECK(!answers.empty(), "a set is judged by its answers");
  if (std::string problem = problem_of(set.expect, answers.back()); !problem.empty()) {
    return {.problem = std::move(problem)};
  }
  std::string unchanged = unchanged_by(set, answers);
  if (unchanged.empty()) {
    return {};
  }
  std::string hindrance = hindrance_of(set, answers.back());
  if (hindrance.empty() && set.unlike.has_value()) {
    hindrance = hindrance_of(set, answers.at(*set.unlike));
  }
  return hindrance.empty() ? DemoVerdict{.problem = std::move(unchanged)}
                           : DemoVerdict{.hindrance = std::move(hindrance)};
}

}  // namespace juggler
