#include "core/task_table.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace juggler {

namespace {

std::size_t number_of_next(const TaskRecord& record) {
  std::size_t last = 0;
  for (const Requester& requester : record.requesters) {
    last = std::max(last, requester.number);
  }
  return last + 1;
}

Bytes size_of(const Answered& answered) {
  const Outcome& outcome = *answered.outcome;
  std::size_t size = sizeof(Answered) + sizeof(Outcome) + outcome.key.id.size() +
                     outcome.key.submitter.size() + outcome.reason.size() + outcome.runtime.size();
  for (const AttemptRecord& attempt : outcome.attempts) {
    size += sizeof(AttemptRecord) + attempt.end.size();
  }
  return Bytes{static_cast<std::int64_t>(size)} + answered.result_bytes;
}

// What its copies hold at the broker: none is larger than it.
Bytes copies_of(const TaskRecord& record) {
  return record.submission.payload.size * static_cast<std::int64_t>(record.requesters.size() - 1);
}

}  // namespace

TaskRecord& TaskTable::insert(TaskRecord record) {
  record.number = ++last_;
  count(record);
  by_key_[record.submission.key] = record.number;
  const auto [at, added] = records_.emplace(record.number, std::move(record));
  JUGGLER_CHECK(added, "task numbers only grow");
  return at->second;
}

// As held, with its payload.
void TaskTable::count(const TaskRecord& record) {
  payload_bytes_ += record.submission.payload.size;
  held_ += 1;
  Share& share = shares_[std::string(sharer_of(record.submission.key))];
  share.tasks += 1;
  share.payloads += record.submission.payload.size;
}

TaskRecord* TaskTable::find(TaskNumber number) {
  const auto at = records_.find(number);
  return at == records_.end() ? nullptr : &at->second;
}

const TaskRecord* TaskTable::find(TaskNumber number) const {
  const auto at = records_.find(number);
  return at == records_.end() ? nullptr : &at->second;
}

TaskRecord* TaskTable::find(const TaskKey& key) {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : find(at->second);
}

const TaskRecord* TaskTable::find(const TaskKey& key) const {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : find(at->second);
}

void TaskTable::erase(TaskNumber number) {
  const auto at = records_.find(number);
  JUGGLER_CHECK(at != records_.end(), "only live tasks are erased");
  in_no_line_.erase(rank_of(at->second));
  in_line_ -= at->second.place.has_value() ? 1U : 0U;
  drop_payload(at->second);
  joined_ -= at->second.requesters.size() - 1;
  joined_bytes_ -= copies_of(at->second);
  if (at->second.resends > 0) {
    const auto share = shares_.find(sharer_of(at->second.submission.key));
    share->second.resending -= 1;
    drop_if_empty(share);
  }
  const auto key = by_key_.find(at->second.submission.key);
  if (key != by_key_.end() && key->second == number) {
    by_key_.erase(key);  // else a later task has it
  }
  records_.erase(at);
}

void TaskTable::drop_payload(TaskRecord& record) {
  if (record.payload_kept) {
    payload_bytes_ -= record.submission.payload.size;
    record.payload_kept = false;
    held_ -= 1;
    const auto share = shares_.find(sharer_of(record.submission.key));
    share->second.tasks -= 1;
    share->second.payloads -= record.submission.payload.size;
    drop_if_empty(share);
  }
}

void TaskTable::drop_if_empty(Shares::iterator share) {
  if (share->second.tasks == 0 && share->second.resending == 0) {
    shares_.erase(share);
  }
}

void TaskTable::resend(TaskRecord& record, int times) {
  if (record.resends == 0) {
    shares_[std::string(sharer_of(record.submission.key))].resending += 1;
  }
  record.resends = times;
}

std::size_t TaskTable::resending_beside(const TaskRecord& record) const {
  const auto share = shares_.find(sharer_of(record.submission.key));
  return share == shares_.end() ? 0 : share->second.resending;
}

void TaskTable::join(TaskRecord& record, Requester requester) {
  requester.number = number_of_next(record);
  record.requesters.push_back(std::move(requester));
  joined_ += 1;
  joined_bytes_ += record.submission.payload.size;
}

std::optional<DeliveryId> TaskTable::join_instead(TaskRecord& record, Requester requester,
                                                  bool may_stay) {
  requester.number = number_of_next(record);
  std::vector<Requester>& all = record.requesters;
  if (all.size() > 1 && may_stay) {
    const std::optional<DeliveryId> oldest = all[1].delivery;
    all.erase(all.begin() + 1);
    all.push_back(std::move(requester));
    return oldest;
  }
  std::optional<DeliveryId> copy;
  if (all.front().delivery.has_value()) {
    copy = std::exchange(requester.delivery, all.front().delivery);
  }
  all.front() = std::move(requester);
  return copy;
}

// One that comes again may have an answer that is not known here yet.
std::vector<const TaskRecord*> TaskTable::waiting_of(std::string_view sharer) const {
  std::vector<const TaskRecord*> waiting;
  for (const auto& [number, record] : records_) {
    if (record.phase == TaskPhase::Waiting && !record.submission.redelivered &&
        sharer_of(record.submission.key) == sharer) {
      waiting.push_back(&record);
    }
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const TaskRecord* a, const TaskRecord* b) { return rank_of(*b) < rank_of(*a); });
  return waiting;
}

std::optional<TaskNumber> TaskTable::last_in_room() const {
  std::vector<const TaskRecord*> most;
  for (const auto& [sharer, share] : shares_) {
    std::vector<const TaskRecord*> waiting = waiting_of(sharer);
    most = waiting.size() > most.size() ? std::move(waiting) : std::move(most);
  }
  return most.empty() ? std::nullopt : std::optional(most.front()->number);
}

std::vector<TaskNumber> TaskTable::to_make_way(const Submission& task) const {
  const auto most = std::max_element(
      shares_.begin(), shares_.end(),
      [](const auto& a, const auto& b) { return a.second.tasks < b.second.tasks; });
  const auto own = shares_.find(sharer_of(task.key));
  const std::size_t had = own == shares_.end() ? 0 : own->second.tasks;
  if (most == shares_.end() || most->second.tasks <= had + 1) {
    return {};
  }
  const std::vector<const TaskRecord*> waiting = waiting_of(most->first);
  return waiting.empty() ? std::vector<TaskNumber>() : std::vector{waiting.front()->number};
}

std::vector<TaskNumber> TaskTable::to_make_way(const Submission& task, Bytes lacking) const {
  const auto most = std::max_element(
      shares_.begin(), shares_.end(),
      [](const auto& a, const auto& b) { return a.second.payloads < b.second.payloads; });
  const auto own = shares_.find(sharer_of(task.key));
  const Bytes had = own == shares_.end() ? Bytes{0} : own->second.payloads;
  if (most == shares_.end() || most->second.payloads <= had + task.payload.size) {
    return {};
  }
  std::vector<TaskNumber> way;
  Bytes freed{0};
  for (const TaskRecord* record : waiting_of(most->first)) {
    if (freed >= lacking || most->second.payloads - freed <= had + task.payload.size) {
      break;
    }
    freed += record->submission.payload.size;
    way.push_back(record->number);
  }
  return freed >= lacking ? way : std::vector<TaskNumber>();
}

bool TaskTable::somebody_has_more(const TaskRecord& record) const {
  const auto own = shares_.find(sharer_of(record.submission.key));
  const std::size_t has = own == shares_.end() ? 0 : own->second.tasks;
  return std::any_of(shares_.begin(), shares_.end(),
                     [&](const auto& share) { return share.second.tasks > has; });
}

TaskTable::Rank TaskTable::rank_of(const TaskRecord& record) {
  return {-record.submission.requirements.priority, record.deadline, record.number};
}

void TaskTable::wait(const TaskRecord& record) { in_no_line_.insert(rank_of(record)); }
void TaskTable::leave(const TaskRecord& record) {
  JUGGLER_CHECK(!record.place.has_value(), "a task leaves its line first");
  in_no_line_.erase(rank_of(record));
}

void TaskTable::enter_line(TaskRecord& record, TaskRecord::Place place) {
  JUGGLER_CHECK(!record.place.has_value(), "a task stands in one line");
  in_no_line_.erase(rank_of(record));
  in_line_ += 1;
  record.place = std::move(place);
}

TaskRecord::Place TaskTable::leave_line(TaskRecord& record) {
  JUGGLER_CHECK(record.place.has_value(), "only who stands in a line can leave it");
  TaskRecord::Place place = std::move(*record.place);
  record.place.reset();
  in_line_ -= 1;
  if (record.phase == TaskPhase::Waiting) {
    in_no_line_.insert(rank_of(record));
  }
  return place;
}

std::vector<TaskNumber> TaskTable::in_no_line(std::size_t max) const {
  std::vector<TaskNumber> numbers;
  for (const Rank& rank : in_no_line_) {
    if (numbers.size() == max) {
      break;
    }
    numbers.push_back(rank.number);
  }
  return numbers;
}

std::vector<TaskNumber> TaskTable::most_urgent_first(const std::vector<TaskNumber>& numbers) const {
  std::set<Rank> ranks;
  for (const TaskNumber number : numbers) {
    if (const auto at = records_.find(number); at != records_.end()) {
      ranks.insert(rank_of(at->second));
    }
  }
  std::vector<TaskNumber> sorted;
  for (const Rank& rank : ranks) {
    sorted.push_back(rank.number);
  }
  return sorted;
}

std::vector<LiveTask> TaskTable::live() const {
  std::vector<LiveTask> tasks;
  tasks.reserve(records_.size());
  for (const auto& [number, record] : records_) {
    tasks.push_back({record, find(record.submission.key) == &record});
  }
  return tasks;
}

void TaskTable::take_up(std::vector<LiveTask> tasks, TaskNumber last) {
  *this = TaskTable();
  last_ = last;
  for (LiveTask& task : tasks) {
    const TaskNumber number = task.record.number;
    const auto [at, added] = records_.emplace(number, std::move(task.record));
    JUGGLER_CHECK(added, "every task has a number of its own");
    const TaskRecord& record = at->second;
    if (task.named) {
      by_key_[record.submission.key] = number;
    }
    if (record.payload_kept) {
      count(record);
    }
    joined_ += record.requesters.size() - 1;
    joined_bytes_ += copies_of(record);
    if (record.resends > 0) {
      shares_[std::string(sharer_of(record.submission.key))].resending += 1;
    }
    if (record.place.has_value()) {
      in_line_ += 1;
    } else if (record.phase == TaskPhase::Waiting) {
      in_no_line_.insert(rank_of(record));
    }
  }
}

void AnsweredMemory::remember(Answered answered) {
  const TaskKey key = answered.outcome->key;
  if (const Answered* before = find(key)) {
    bytes_ -= size_of(*before);
  }
  bytes_ += size_of(answered);
  const auto [at, added] = outcomes_.insert_or_assign(key, std::move(answered));
  if (added) {
    order_.push_back(at);
  }
  while (order_.size() > max_.outcomes || (bytes_ > max_.bytes && order_.size() > 1)) {
    bytes_ -= size_of(order_.front()->second);
    outcomes_.erase(order_.front());
    order_.pop_front();
  }
}

const Answered* AnsweredMemory::find(const TaskKey& key) const {
  const auto at = outcomes_.find(key);
  return at == outcomes_.end() ? nullptr : &at->second;
}

std::vector<Answered> AnsweredMemory::all() const {
  std::vector<Answered> all;
  all.reserve(order_.size());
  for (const Outcomes::iterator& at : order_) {
    all.push_back(at->second);
  }
  return all;
}

std::vector<const Outcome*> AnsweredMemory::recent(std::size_t max) const {
  std::vector<const Outcome*> recent;
  for (auto at = order_.rbegin(); at != order_.rend() && recent.size() < max; ++at) {
    recent.push_back(&*(*at)->second.outcome);
  }
  return recent;
}

}  // namespace juggler
