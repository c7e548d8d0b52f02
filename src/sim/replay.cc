#include "sim/replay.h"

#include <fmt/format.h>

#include <memory>
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

class Replay {
 public:
  explicit Replay(JournalReader& journal) : journal_(journal) {}

  Result<ReplayReport> run() {
    if (journal_.from_the_start()) {
      if (Result<void> begun = begin(); !begun) {
        return begun.error();
      }
    }
    while (!report_.difference.has_value()) {
      const Result<std::optional<wire::JournalLine>> line = journal_.next();
      if (!line) {
        return line.error();
      }
      if (!line->has_value()) {
        break;
      }
      if (Result<void> taken = take(**line); !taken) {
        return taken.error();
      }
    }
    if (report_.steps == 0 && !report_.from_checkpoint && !journal_.from_the_start()) {
      return no_beginning();
    }
    if (controller_ != nullptr) {
      report_.stats = controller_->stats();
    }
    return std::move(report_);
  }

 private:
  Error no_beginning() const {
    return fail(ErrorCode::Unsupported,
                fmt::format("run {} cannot be reproduced: its first {} segments were deleted, and "
                            "with them the state that the rest depends on; no checkpoint follows. "
                            "Keep more with --journal-max. What its traffic would have been under "
                            "a policy can still be simulated: --policy NAME",
                            journal_.head().run, journal_.head().segment - 1));
  }

  // A controller as it was when the run began.
  Result<void> begin() {
    const wire::JournalHead& head = journal_.head();
    Result<std::unique_ptr<Policy>> policy = make_policy(head.policy);
    if (!policy) {
      return fail(policy.error().code,
                  fmt::format("run {} was of another build: {}", head.run, policy.error().message));
    }
    controller_ = std::make_unique<Controller>(head.config, std::move(*policy));
    return {};
  }

  Result<void> take(const wire::JournalLine& line) {
    const auto* state = std::get_if<wire::JournalState>(&line);
    const auto* gap = std::get_if<wire::JournalGap>(&line);
    if (gap != nullptr) {
      state_ = wire::StateReader();
    }
    if (state == nullptr && state_.begun()) {
      return fail(ErrorCode::Corrupt,
                  journal_.place() + ": a checkpoint ends before its last line");
    }
    if (state != nullptr && controller_ == nullptr) {
      return take_state(*state->part);
    }
    if (gap != nullptr && controller_ != nullptr) {
      report_.ended_early =
          fmt::format("{}: a gap{}: {}", journal_.place(),
                      gap->steps > 0 ? fmt::format(" of {} steps", gap->steps) : "", gap->reason);
      report_.stats = controller_->stats();
      controller_.reset();
    }
    if (const auto* step = std::get_if<wire::JournalStep>(&line)) {
      if (controller_ != nullptr) {
        replay_step(*step);
      } else {
        report_.skipped += 1;
      }
    }
    return {};
  }

  Result<void> take_state(const wire::StatePart& part) {
    const auto at_place = [this](const Error& error) {
      return fail(error.code, journal_.place() + ": " + error.message);
    };
    Result<std::optional<ControllerState>> state = state_.add(part);
    if (!state) {
      return at_place(state.error());
    }
    if (!state->has_value()) {
      return {};
    }
    if (Result<void> begun = begin(); !begun) {
      return begun;
    }
    if (Result<void> taken = controller_->take_up(std::move(**state)); !taken) {
      return at_place(taken.error());
    }
    if (report_.ended_early.empty()) {
      report_.from_checkpoint = true;
    } else {
      report_.gaps += 1;
      report_.ended_early.clear();
    }
    return {};
  }

  // What is not as recorded goes into the report.
  void replay_step(const wire::JournalStep& step) {
    actions_.clear();
    controller_->step(step.at, step.event, actions_);
    Digest digest;
    add_step(digest, 0, step.at, step.event, actions_);
    if (digest.value() != step.digest) {
      report_.difference = ReplayDifference{.place = journal_.place(),
                                            .at = step.at,
                                            .event = describe(step.event),
                                            .actions = lines_of(actions_),
                                            .recorded = step.digest,
                                            .replayed = digest.value()};
      return;
    }
    report_.first = report_.steps == 0 ? step.at : report_.first;
    report_.last = step.at;
    report_.steps += 1;
    report_.actions += actions_.size();
  }

  JournalReader& journal_;
  std::unique_ptr<Controller> controller_;  // none where its state is not known
  wire::StateReader state_;                 // of the checkpoint that is being read
  ReplayReport report_;
  std::vector<ControllerAction> actions_;
};

}  // namespace

Result<ReplayReport> replay(JournalReader& journal) { return Replay(journal).run(); }

}  // namespace juggler::sim
