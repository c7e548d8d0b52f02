#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "core/controller.h"

// This file: who makes way for whom in a flood, so that a submitter that sends too much takes
// nothing from others: neither room in the controller, nor time before processors.

namespace juggler {
namespace {

// In a flood, how often the most urgent that waits is looked at again.
constexpr Micros kHopelessSoughtEach = milliseconds(5);

// Of one task, at how many processors it looks for way, and how many tasks go there at most.
constexpr std::size_t kLanesMax = 4;
constexpr std::size_t kWayMax = 4;

using LaneOf = std::pair<std::string, std::size_t>;  // a device's

}  // namespace

// Whether there is room for a task, and which tasks are to make way for it. In a flood: first goes
// what is hopeless by now, then what whoever has most here waits with, as long as the newcomer's
// submitter has less. So one that sends too much takes nothing from others.
std::optional<std::vector<TaskNumber>> Controller::room_for(const Submission& task) {
  const auto lacking = [&] {
    return tasks_.payload_bytes() + task.payload.size - config_.tasks_bytes_max;
  };
  const auto full = [&] { return tasks_.held() >= config_.tasks_max || lacking() > Bytes{0}; };
  if (full() && now_ - hopeless_sought_ >= kHopelessSoughtEach) {
    hopeless_sought_ = now_;
    replan(1);
  }
  if (!full()) {
    return std::vector<TaskNumber>();
  }
  // What frees bytes frees a place as well.
  std::vector<TaskNumber> way =
      lacking() > Bytes{0} ? tasks_.to_make_way(task, lacking()) : tasks_.to_make_way(task);
  return way.empty() ? std::nullopt : std::optional(std::move(way));
}

void Controller::make_way(const std::vector<TaskNumber>& tasks) {
  const auto leave = [this](TaskNumber number) {
    TaskRecord* record = tasks_.find(number);
    if (record != nullptr && record->phase == TaskPhase::Waiting) {
      answer(
          *record, OutcomeKind::Rejected,
          "overload: it made way for a task of a submitter that has fewer here; try again later");
    }
  };
  std::for_each(tasks.begin(), tasks.end(), leave);
  // One of them may have been dispatched meanwhile, with the newcomer in its batch: then another.
  while (tasks_.held() > config_.tasks_max || tasks_.payload_bytes() > config_.tasks_bytes_max) {
    const std::optional<TaskNumber> another = tasks_.last_in_room();
    if (!another.has_value()) {
      return;  // all are under way
    }
    leave(*another);
  }
}

// For a task that too much stands before: whoever has most before a processor that could serve it,
// and more than its own submitter has there, loses what is least urgent there, if that is enough
// for it to be in time. A task that would not be served even so takes nothing from anybody.
bool Controller::placed_by_making_way(TaskRecord& record) {
  if (now_ < led_since_ + config_.warm_up || !tasks_.somebody_has_more(record)) {
    return false;
  }
  std::vector<LaneOf> lanes;  // as the next decision replaces the candidates
  for (const Candidate& candidate : planner_.candidates()) {
    LaneOf lane(planner_.lanes().lanes()[candidate.seen].facts->id, candidate.lane);
    if (candidate.verdict == Verdict::QueueTooLong && (lanes.empty() || lanes.back() != lane)) {
      lanes.push_back(std::move(lane));  // candidates come lane by lane
    }
  }
  std::size_t looked_at = 0;
  for (const auto& [device, lane] : lanes) {
    const std::vector<TaskNumber> rivals = rivals_in(fleet_.find(device)->lanes[lane], record);
    if (rivals.empty()) {
      continue;
    }
    std::vector<Stood> gone;
    // One may be enough; if not, all that may.
    for (const std::size_t enough : {std::size_t{1}, rivals.size()}) {
      while (gone.size() < enough) {
        gone.push_back(take_out(*tasks_.find(rivals[gone.size()])));
      }
      const Decision decision = think(record);
      if (std::holds_alternative<Place>(decision)) {
        make_way({rivals.begin(), rivals.begin() + static_cast<std::ptrdiff_t>(enough)});
        keep(record, decision);
        place(record, std::get<Place>(decision).candidate);
        return true;
      }
    }
    for (auto stood = gone.rbegin(); stood != gone.rend(); ++stood) {
      put_back(*stood);
    }
    if (++looked_at == kLanesMax) {
      break;
    }
  }
  return false;
}

// Tasks in this line that may make way for it, the least urgent first: of the submitter that has
// most of those that are no more urgent, so many that it is left with as many as the task's own has
// then.
std::vector<TaskNumber> Controller::rivals_in(const Lane& lane, const TaskRecord& record) const {
  std::map<std::string_view, std::vector<TaskNumber>> standing;
  std::size_t own = 1;
  for (const auto& [batch, members] : lane.members) {
    for (const Member& member : members) {
      const TaskRecord& other = *tasks_.find(member.task);
      // One that comes again may have an answer that is not known here yet.
      if (sharer_of(other.submission.key) == sharer_of(record.submission.key)) {
        own += 1;
      } else if (other.phase == TaskPhase::Waiting && other.attempts.empty() &&
                 !other.submission.redelivered &&
                 member.priority <= record.submission.requirements.priority) {
        standing[sharer_of(other.submission.key)].push_back(member.task);
      }
    }
  }
  const auto most = std::max_element(
      standing.begin(), standing.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (most == standing.end() || most->second.size() <= own) {
    return {};
  }
  std::vector<TaskNumber> rivals = tasks_.most_urgent_first(most->second);
  std::reverse(rivals.begin(), rivals.end());
  rivals.resize(std::min({rivals.size(), most->second.size() - own, kWayMax}));
  return rivals;
}

}  // namespace juggler
