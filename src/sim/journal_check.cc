#include "sim/journal_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "core/digest.h"
#include "core/policies/policy.h"
#include "runtime/journal_reader.h"
#include "sim/checker.h"
#include "sim/trace.h"

namespace juggler::sim {
namespace {

// What a killed controller had done and not yet handed to the system is not in its journal.
constexpr Micros kUnwrittenMax = milliseconds(500);

const TaskKey* task_of(const ControllerEvent& event) {
  if (const auto* task = std::get_if<Submitted>(&event)) {
    return &task->submission.key;
  }
  if (const auto* result = std::get_if<ResultArrived>(&event)) {
    return &result->result.attempt.task;
  }
  return nullptr;
}

// One run: its controller, and the step that comes next.
class Run {
 public:
  static Result<std::unique_ptr<Run>> open(const std::filesystem::path& folder,
                                           const std::string& name) {
    Result<JournalReader> reader = JournalReader::open(folder, name);
    if (!reader) {
      return reader.error();
    }
    Result<std::unique_ptr<Policy>> policy = make_policy(reader->head().policy);
    if (!policy) {
      return policy.error();
    }
    auto run = std::make_unique<Run>(std::move(*reader), std::move(*policy));
    if (!run->reader_.from_the_start()) {
      run->early_ = "run " + name + ": its first segments were deleted";
      return run;
    }
    if (Result<void> read = run->read(); !read) {
      return read.error();
    }
    return run;
  }

  Run(JournalReader reader, std::unique_ptr<Policy> policy)
      : reader_(std::move(reader)), controller_(reader_.head().config, std::move(policy)) {}

  const std::optional<wire::JournalStep>& next() const { return next_; }
  const std::string& ended_early() const { return early_; }
  const Controller& controller() const { return controller_; }
  std::string place() const { return reader_.place(); }
  bool fenced = false;  // another leads, and it has not heard of that yet

  // What the controller does at its next step; whether it did the same when it was recorded.
  bool step(std::vector<ControllerAction>& actions) {
    actions.clear();
    controller_.step(next_->at, next_->event, actions);
    Digest digest;
    add_step(digest, 0, next_->at, next_->event, actions);
    return digest.value() == next_->digest;
  }

  Result<void> read() {
    next_.reset();
    for (;;) {
      Result<std::optional<wire::JournalLine>> line = reader_.next();
      if (!line) {
        return line.error();
      }
      if (!line->has_value()) {
        return {};
      }
      if (const auto* gap = std::get_if<wire::JournalGap>(&**line)) {
        early_ = reader_.place() + ": a gap: " + gap->reason;
        return {};
      }
      if (auto* step = std::get_if<wire::JournalStep>(&**line)) {
        next_ = std::move(*step);
        return {};
      }
    }
  }

 private:
  JournalReader reader_;
  Controller controller_;
  std::optional<wire::JournalStep> next_;
  std::string early_;
};

class Check {
 public:
  Result<void> open(const std::filesystem::path& folder) {
    std::string last;
    for (const JournalFile& file : list_journal(folder)) {
      if (file.run == last) {
        continue;
      }
      last = file.run;
      Result<std::unique_ptr<Run>> run = Run::open(folder, file.run);
      if (!run) {
        return run.error();
      }
      runs_.push_back(std::move(*run));
    }
    return last.empty() ? Result<void>(fail(ErrorCode::NotFound,
                                            "there is no journal in " + folder.string()))
                        : Result<void>();
  }

  Result<JournalVerdict> all() {
    verdict_.runs = runs_.size();
    while (const std::optional<std::size_t> who = first()) {
      if (Result<void> stepped = step(*who); !stepped) {
        return stepped.error();
      }
    }
    for (const std::unique_ptr<Run>& run : runs_) {
      if (!run->ended_early().empty()) {
        verdict_.ended_early.push_back(run->ended_early());
      }
    }
    for (const std::string& complaint : checker_.complaints()) {
      const bool unsure = std::any_of(unsure_.begin(), unsure_.end(), [&](const std::string& id) {
        return complaint.find(id) != std::string::npos;
      });
      (unsure ? verdict_.unsure : verdict_.complaints).push_back(complaint);
    }
    return std::move(verdict_);
  }

 private:
  // The run whose next step was taken before those of all others.
  std::optional<std::size_t> first() const {
    std::optional<std::size_t> who;
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      if (runs_[r]->next().has_value() &&
          (!who.has_value() || runs_[r]->next()->at < runs_[*who]->next()->at)) {
        who = r;
      }
    }
    return who;
  }

  Result<void> step(std::size_t who) {
    Run& run = *runs_[who];
    const Time at = run.next()->at;
    const ControllerEvent event = run.next()->event;
    if (!run.step(actions_)) {
      verdict_.complaints.push_back(run.place() + ": another decision than was recorded at " +
                                    describe(event));
    }
    if (std::holds_alternative<LeadBegun>(event)) {
      fence_all_but(who);
    } else if (std::holds_alternative<LeadEnded>(event)) {
      run.fenced = false;
    }
    checker_.stepped(at, event,
                     run.fenced ? std::span<const ControllerAction>() : std::span(actions_),
                     run.controller(), who);
    verdict_.steps += 1;
    if (const TaskKey* task = task_of(event)) {
      touched_[task->id] = {who, at};
    }
    if (Result<void> read = run.read(); !read) {
      return read;
    }
    if (!run.next().has_value()) {
      ended(who, at);
    }
    return {};
  }

  // The broker lets nobody lead before the last leader's connection is gone.
  void fence_all_but(std::size_t who) {
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      runs_[r]->fenced = r != who && runs_[r]->controller().leading();
    }
  }

  void ended(std::size_t who, Time at) {
    for (const auto& [id, last] : touched_) {
      if (last.first == who && at - last.second <= kUnwrittenMax) {
        unsure_.push_back(id);
      }
    }
    // What it had under way is what a killed one may have finished unseen.
    for (const auto& [number, record] : runs_[who]->controller().tasks().all()) {
      if (record.phase == TaskPhase::Answering) {
        unsure_.push_back(record.submission.key.id);
      }
    }
    checker_.controller_died(who);
  }

  std::vector<std::unique_ptr<Run>> runs_;
  InvariantChecker checker_;
  JournalVerdict verdict_;
  std::map<std::string, std::pair<std::size_t, Time>> touched_;  // by task id: by whom, when
  std::vector<std::string> unsure_;
  std::vector<ControllerAction> actions_;
};

}  // namespace

Result<JournalVerdict> check_journals(const std::vector<std::filesystem::path>& folders) {
  Check check;
  for (const std::filesystem::path& folder : folders) {
    if (Result<void> opened = check.open(folder); !opened) {
      return opened.error();
    }
  }
  return check.all();
}

}  // namespace juggler::sim
