#include "sim/replay.h"

#include <fmt/format.h>

#include <utility>
#include <variant>
#include <vector>

#include "core/digest.h"
#include "core/policies/policy.h"
#include "sim/trace.h"

namespace juggler::sim {
namespace {

std::string lines_of(const std::vector<ControllerAction>& actions) {
  std::string text;
  for (const ControllerAction& action : actions) {
    text += describe(action) + "\n";
  }
  return text;
}

// One step; what is not as recorded goes into the report.
void replay_step(Controller& controller, const wire::JournalStep& step, const std::string& place,
                 std::vector<ControllerAction>& actions, ReplayReport& report) {
  actions.clear();
  controller.step(step.at, step.event, actions);
  Digest digest;
  add_step(digest, 0, step.at, step.event, actions);
  if (digest.value() != step.digest) {
    report.difference = ReplayDifference{.place = place,
                                         .at = step.at,
                                         .event = describe(step.event),
                                         .actions = lines_of(actions),
                                         .recorded = step.digest,
                                         .replayed = digest.value()};
    return;
  }
  report.first = report.steps == 0 ? step.at : report.first;
  report.last = step.at;
  report.steps += 1;
  report.actions += actions.size();
}

}  // namespace

Result<ReplayReport> replay(JournalReader& journal) {
  const wire::JournalHead& head = journal.head();
  if (!journal.from_the_start()) {
    return fail(ErrorCode::Unsupported,
                fmt::format("run {} cannot be reproduced: its first {} segments were deleted, and "
                            "with them the state that the rest depends on. Keep more with "
                            "--journal-max. What its traffic would have been under a policy can "
                            "still be simulated: --policy NAME",
                            head.run, head.segment - 1));
  }
  Result<std::unique_ptr<Policy>> policy = make_policy(head.policy);
  if (!policy) {
    return fail(policy.error().code,
                fmt::format("run {} was of another build: {}", head.run, policy.error().message));
  }
  Controller controller(head.config, std::move(*policy));
  ReplayReport report;
  std::vector<ControllerAction> actions;
  while (!report.difference.has_value()) {
    const Result<std::optional<wire::JournalLine>> line = journal.next();
    if (!line) {
      return line.error();
    }
    if (!line->has_value()) {
      break;
    }
    if (const auto* gap = std::get_if<wire::JournalGap>(&**line)) {
      report.ended_early =
          fmt::format("{}: a gap{}: {}", journal.place(),
                      gap->steps > 0 ? fmt::format(" of {} steps", gap->steps) : "", gap->reason);
      break;
    }
    if (const auto* step = std::get_if<wire::JournalStep>(&**line)) {
      replay_step(controller, *step, journal.place(), actions, report);
    }
  }
  report.stats = controller.stats();
  return report;
}

}  // namespace juggler::sim
