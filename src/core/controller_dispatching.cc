#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: a batch goes out: what it will take, when it counts as overdue, and its dispatches.
// When it goes is in controller_lines.cc.

namespace juggler {
namespace {

// A batch is overdue when it is later than predicted by three standard deviations, by half of its
// own time, and by what a hiccup of the host or the network may take.
constexpr std::int64_t kLateZPermille = 3000;
constexpr Micros kHiccup = milliseconds(20);

}  // namespace

// Sends a whole batch to its processor.
void Controller::dispatch(const std::string& device_id, std::size_t lane_index,
                          std::uint64_t batch) {
  DeviceState& device = *fleet_.find_to_change(device_id);
  Lane& lane = device.lanes[lane_index];
  const auto entry = std::find_if(lane.line->begin(), lane.line->end(),
                                  [&](const OpenBatch& open) { return open.id == batch; });
  const OpenBatch open_batch = *entry;
  const std::vector<Member> members = lane.take(batch);
  const int batch_max = (*lane.costs)[open_batch.profile].batch_max();
  const bool full = open_batch.tasks >= batch_max;
  // Tasks asked for their share of a full batch; what a smaller one takes beyond that is added.
  const std::int64_t slowdown = device.slowdown_permille(lane);
  const Micros share =
      lane.expected(open_batch.profile, batch_max, slowdown).mean * open_batch.tasks;
  const Micros takes = lane.expected(open_batch.profile, open_batch.tasks, slowdown).mean;
  lane.price.add(std::max(takes - share / batch_max, Micros{0}), now_);

  auto learned = std::make_shared<LaneLearned>(*lane.learned);
  const std::int64_t closed_at = full ? members.back().joined_at : fleet_.arrivals.count();
  learned->add_batch(open_batch.profile, open_batch.tasks - 1, closed_at - open_batch.opened_at);
  lane.learned = std::move(learned);

  const Time predicted = begin_batch(device, lane_index, static_cast<std::int64_t>(batch),
                                     open_batch.profile, open_batch.tasks, open_batch.bytes);
  for (const Member& member : members) {
    TaskRecord& record = *tasks_.find(member.task);
    tasks_.leave_line(record);
    tasks_.leave(record);
    send_attempt(record, device, lane_index, lane.in_flight.back(), predicted);
  }
  probe_went_out(device);
}

// Counts a batch as on its way; it is the last in flight then. Returns when its results are
// predicted.
Time Controller::begin_batch(DeviceState& device, std::size_t lane_index, std::int64_t batch,
                             std::uint32_t profile, int tasks, std::int64_t bytes) {
  Lane& lane = device.lanes[lane_index];
  const BatchCost alone = lane.expected(profile, tasks, kSlowdownMin);
  const BatchCost expected = lane.expected(profile, tasks, device.slowdown_permille(lane));
  if (!lane.learned->profiles[profile].loaded) {
    auto learned = std::make_shared<LaneLearned>(*lane.learned);
    learned->profiles[profile].loaded = true;
    lane.learned = std::move(learned);
  }
  const Micros way = device.way_of(bytes, now_);
  const Time free_at = now_ + std::max(device.backlog(lane, now_).mean, way);
  if (lane.in_flight.empty()) {
    lane.head_since = now_ + way;
  }
  const Time predicted = free_at + expected.takes() + device.network() / 2;
  lane.in_flight.push_back({.batch = batch,
                            .profile = profile,
                            .open = tasks,
                            .loads = alone.load > Micros{0},
                            .mean = alone.takes(),
                            .spread = alone.spread,
                            .there = now_ + way});
  const std::int64_t spread = device.network_spread().count;
  const Micros late =
      margin_of(device.backlog(lane, now_).variance_us2 + spread * spread, kLateZPermille);
  BatchInFlight& last = lane.in_flight.back();
  // The others of the device may take up work before it is done, which makes it no straggler.
  const Micros beside =
      lane.expected(profile, tasks, device.slowdown_permille_max(lane)).mean - expected.mean;
  last.patience = predicted - now_ + late + expected.takes() / 2 + kHiccup + beside;
  watch(last, device.facts->id, device.facts->processors[lane_index].id, Micros{0});
  return predicted;
}

// Sets the timer by which a batch counts as overdue.
void Controller::watch(BatchInFlight& batch, const std::string& device,
                       const std::string& processor, Micros grace) {
  if (config_.hedges) {
    batch.overdue = now_ + batch.patience + grace;
    timers_.set(batch.overdue, {.kind = ControllerTimer::Kind::Straggler,
                                .device = device,
                                .processor = processor,
                                .batch = batch.batch});
  }
}

// Sends one task of a batch.
void Controller::send_attempt(TaskRecord& record, DeviceState& device, std::size_t lane_index,
                              const BatchInFlight& batch, Time predicted) {
  JUGGLER_CHECK(device.liveness == Liveness::Live, "only live devices are given work");
  const Processor& processor = device.facts->processors[lane_index];
  const Profile& profile = processor.profiles[batch.profile];
  const AttemptId id{record.submission.key, epoch_, static_cast<int>(record.attempts.size()) + 1};
  record.phase = TaskPhase::InFlight;
  record.attempts.push_back({.id = id,
                             .device = device.facts->id,
                             .processor = processor.id,
                             .variant = profile.variant,
                             .dispatched = now_,
                             .batch = batch.batch,
                             .loads = batch.loads,
                             .end = {}});
  // Every attempt has its own deadline: a dispatch can be lost inside a device that never fell
  // silent for long enough to be called lost.
  OpenAttempt& open_attempt = open_attempts_[id];
  open_attempt = {
      .device = device.facts->id,
      .batch = batch.batch,
      .task = record.number,
      .patience = (std::min(predicted, record.deadline) - now_) * 2 + config_.attempt_grace,
      .deadline = record.deadline,
      .dispatched = now_,
      .delays = device.link.send(record.submission.payload.size, now_),
      .tells_of_way = !batch.loads};
  follow(open_attempt, id);
  stats_.dispatched += 1;
  hedge_budget_.dispatched();
  Dispatch message;
  message.attempt = id;
  message.device = device.facts->id;
  message.processor = processor.id;
  message.variant = profile.variant;
  message.batch = batch.batch;
  message.batch_size = batch.open;
  message.budget = record.deadline - now_;
  message.priority = record.submission.requirements.priority;
  message.top_k = record.submission.requirements.top_k;
  message.fall_back = ways_out(record, device, lane_index, profile.variant);
  message.payload = record.submission.payload;
  act(SendDispatch{
      open({.kind = OpenPublish::Kind::Dispatch, .task = record.number, .attempt = id}),
      std::move(message)});
}

}  // namespace juggler
