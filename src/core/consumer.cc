#include "core/consumer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"

namespace juggler {
namespace {

// A batch's energy divided among its tasks.
std::optional<EnergyFigure> share(const std::optional<EnergyFigure>& energy, std::size_t tasks) {
  if (!energy.has_value()) {
    return std::nullopt;
  }
  EnergyFigure part = *energy;
  const auto n = static_cast<std::int64_t>(tasks);
  part.value = part.value / n;
  part.low = part.low / n;
  part.high = part.high / n;
  return part;
}

// Of a batch whose engine failed: bad payloads beside it have reasons of their own.
std::string reason_of_failure(const BatchReport& report) {
  const auto at = std::find_if(
      report.outputs.begin(), report.outputs.end(),
      [](const EngineOutput& output) { return output.status == AttemptStatus::Error; });
  return at != report.outputs.end() ? at->reason : std::string("its engine failed");
}

}  // namespace

Consumer::Consumer(ConsumerConfig config, DeviceFacts facts)
    : config_(config),
      facts_(std::move(facts)),
      lanes_(facts_.processors.size()),
      board_(facts_.processors),
      every_(config.heartbeat) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    const std::vector<std::string>& loaded = facts_.processors[l].loaded;
    lanes_[l].loaded.insert(loaded.begin(), loaded.end());
  }
}

void Consumer::step(Time now, ConsumerEvent event, std::vector<ConsumerAction>& actions) {
  JUGGLER_CHECK(now >= now_, "time does not run backwards");
  now_ = now;
  actions_ = &actions;
  std::visit([this](auto& e) { on(e); }, event);
  leave_if_done();
  actions_ = nullptr;
}

Time Consumer::next_timer() const {
  Time next = linked_ ? next_beat_ : Time::never();
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    if (!lanes_[l].running.has_value()) {
      next = std::min(next, lanes_[l].waiting.next_ready(facts_.processors[l], config_.gather_max));
    }
  }
  return next;
}

std::size_t Consumer::jobs() const {
  std::size_t jobs = 0;
  for (const Lane& lane : lanes_) {
    jobs += lane.waiting.size() + (lane.running.has_value() ? lane.running->jobs.size() : 0);
  }
  return jobs;
}

void Consumer::on(const LinkUp& /*event*/) {
  linked_ = true;
  sessions_ += 1;
  facts_.serving = false;  // until it is said
  say_hello();
  // What was computed meanwhile, or sent and not confirmed.
  for (auto& [attempt, sent] : results_) {
    if (!sent.confirmed) {
      send(sent);
    }
  }
}

void Consumer::on(const LinkDown& /*event*/) {
  linked_ = false;
  publishes_.clear();
  for (Lane& lane : lanes_) {
    lane.waiting.lose_deliveries();
    if (lane.running.has_value()) {
      for (Job& job : lane.running->jobs) {
        job.delivery.reset();
      }
    }
  }
  for (auto& [attempt, sent] : results_) {
    sent.delivery.reset();
    sent.publish = 0;
  }
}

// The newest delivery of an attempt stands for it. An earlier one on this connection has done its
// part: left unacknowledged, it would hold a place of the window for as long as the connection.
void Consumer::take_over(std::optional<DeliveryId>& held, DeliveryId delivery) {
  if (held.has_value()) {
    actions_->emplace_back(AckDelivery{*held});
  }
  held = delivery;
}

// Whether this attempt is here already, waiting, running or answered; then it is not run again.
bool Consumer::recognise(const DispatchArrived& event) {
  const AttemptId& id = event.dispatch.attempt;
  const auto answered = results_.find(id);
  if (answered != results_.end()) {
    stats_.repeated += 1;
    take_over(answered->second.delivery, event.delivery);
    answered->second.confirmed = false;  // this delivery's ack waits for a confirm of its own
    if (answered->second.publish == 0) {
      send(answered->second);
    }
    return true;
  }
  const auto same = [&](const Job& job) { return job.dispatch.attempt == id; };
  for (Lane& lane : lanes_) {
    if (Job* waiting = lane.waiting.find(id)) {
      take_over(waiting->delivery, event.delivery);
      return true;
    }
    if (lane.running.has_value()) {
      const auto running = std::find_if(lane.running->jobs.begin(), lane.running->jobs.end(), same);
      if (running != lane.running->jobs.end()) {
        take_over(running->delivery, event.delivery);
        return true;
      }
    }
  }
  return false;
}

// Why a dispatch cannot be taken at all; empty if it can.
std::string Consumer::refusal(const Dispatch& dispatch) const {
  if (draining_) {
    return "the device is leaving";
  }
  if (dispatch.attempt.epoch < epoch_) {
    return fmt::format("stale epoch {}: a controller with epoch {} leads", dispatch.attempt.epoch,
                       epoch_);
  }
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    const Processor& processor = facts_.processors[l];
    if (processor.id != dispatch.processor) {
      continue;
    }
    const bool served =
        std::any_of(processor.profiles.begin(), processor.profiles.end(),
                    [&](const Profile& profile) { return profile.variant == dispatch.variant; });
    if (!served) {
      return fmt::format("{} does not serve variant '{}'", processor.id, dispatch.variant);
    }
    if (lanes_[l].waiting.size() >= config_.queue_max) {
      return fmt::format("{} has {} tasks waiting, its bound", processor.id, config_.queue_max);
    }
    return {};
  }
  return fmt::format("there is no processor '{}'", dispatch.processor);
}

void Consumer::on(DispatchArrived& event) {
  stats_.received += 1;
  if (recognise(event)) {
    actions_->emplace_back(DropPayload{event.dispatch.payload.handle});
    return;
  }
  const Time expires = now_ + event.dispatch.budget;
  Job job{.dispatch = std::move(event.dispatch),
          .delivery = event.delivery,
          .redelivered = event.redelivered,
          .received = now_,
          .started = now_,
          .expires = expires};
  if (std::string reason = refusal(job.dispatch); !reason.empty()) {
    stats_.refused += 1;
    AttemptResult refused = result_for(job, AttemptStatus::Refused, std::move(reason));
    finish(job, std::move(refused));
    return;
  }
  epoch_ = std::max(epoch_, job.dispatch.attempt.epoch);
  if (job.redelivered && sessions_ == 1) {
    // A process before this one had it. It may be what that one died of: run again, it would be the
    // end of each that follows.
    stats_.failed += 1;
    finish(job, result_for(job, AttemptStatus::Error,
                           "the process that had it ended before it answered"));
    return;
  }
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    if (facts_.processors[l].id == job.dispatch.processor) {
      if (const Stop* stopped = stop_of(l, job.dispatch.variant)) {
        fall_back_or_refuse(job, stopped->reason);
        return;
      }
      lanes_[l].waiting.add(std::move(job));
      start_next(l);
      return;
    }
  }
}

void Consumer::start_next(std::size_t lane_index) {
  Lane& lane = lanes_[lane_index];
  if (lane.running.has_value()) {
    return;
  }
  for (const Job& job : lane.waiting.take_expired(now_)) {
    stats_.expired += 1;
    finish(job, result_for(job, AttemptStatus::Expired, "its deadline passed while it waited"));
  }
  std::vector<Job> jobs =
      lane.waiting.take(facts_.processors[lane_index], now_, config_.gather_max);
  if (jobs.empty()) {
    return;
  }
  StartBatch start;
  start.batch = ++last_batch_;
  start.processor = facts_.processors[lane_index].id;
  start.variant = jobs.front().dispatch.variant;
  for (Job& job : jobs) {
    job.started = now_;
    start.items.push_back({job.dispatch.payload, job.dispatch.top_k});
  }
  stats_.batches += 1;
  lane.running = Batch{start.batch, std::move(jobs), now_};
  board_.begin(lane_index, now_);
  actions_->emplace_back(std::move(start));
}

// Ends what runs there, and returns how much of its time the processors beside it have added.
Micros Consumer::end_run(std::size_t lane, Micros compute) {
  const Micros took = now_ - lanes_[lane].running->began;
  const Micros added = took - board_.progress(lane, now_);
  board_.end(lane, now_);
  lanes_[lane].running.reset();
  // Of the time since it was handed to its engine, computing is the most, and slowed evenly.
  return added > Micros{0} ? compute * (added.count * 1'000'000 / took.count) / 1'000'000
                           : Micros{0};
}

AttemptResult Consumer::result_for(const Job& job, AttemptStatus status, std::string reason) const {
  AttemptResult result;
  result.attempt = job.dispatch.attempt;
  result.device = facts_.id;
  result.processor = job.dispatch.processor;
  result.variant = job.dispatch.variant;
  result.status = status;
  result.reason = std::move(reason);
  result.fell_back = job.fell_back;
  result.redelivered = job.redelivered;
  result.stamp = job.dispatch.stamp;
  result.queued = job.started - job.received;
  return result;
}

void Consumer::on(BatchFinished& event) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    Lane& lane = lanes_[l];
    if (!lane.running.has_value() || lane.running->id != event.batch) {
      continue;
    }
    std::vector<Job> jobs = std::move(lane.running->jobs);
    const Micros slowed = end_run(l, event.report.compute);
    JUGGLER_CHECK(jobs.size() == event.report.outputs.size(), "an engine answers every input");
    const bool engine_failed = event.report.failure != EngineFailure::None;
    if (engine_failed) {
      stop(l, jobs.front().dispatch.variant, reason_of_failure(event.report));
    }
    start_next(l);  // the processor first, the paperwork beside it
    const std::optional<EnergyFigure> energy = share(event.report.energy, jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      EngineOutput& output = event.report.outputs[i];
      if (engine_failed && output.status == AttemptStatus::Error &&
          fall_back(jobs[i], output.reason)) {
        continue;
      }
      AttemptResult result = result_for(jobs[i], output.status, std::move(output.reason));
      result.labels = std::move(output.labels);
      result.synthetic_labels = output.synthetic_labels;
      result.compute = event.report.compute;
      result.slowed = slowed;
      // Loading a network counts as waiting: the controller takes what is left for the network's.
      result.queued = std::max(now_ - jobs[i].received - result.compute, Micros{0});
      result.batch_size = static_cast<int>(jobs.size());
      result.energy = energy;
      (output.status == AttemptStatus::Ok ? stats_.completed : stats_.failed) += 1;
      if (output.status == AttemptStatus::Ok) {
        lane.loaded.insert(jobs[i].dispatch.variant);
        lane.unloaded.erase(jobs[i].dispatch.variant);
        lane.stops.erase(jobs[i].dispatch.variant);
      }
      finish(jobs[i], std::move(result));
    }
    return;
  }
}

void Consumer::finish(const Job& job, AttemptResult result) {
  actions_->emplace_back(DropPayload{job.dispatch.payload.handle});
  const auto at =
      results_
          .insert_or_assign(job.dispatch.attempt,
                            SentResult{.result = std::move(result), .delivery = job.delivery})
          .first;
  results_order_.push_back(at->first);
  send(at->second);
  forget_old_results();
}

void Consumer::send(SentResult& sent) {
  if (!linked_) {
    return;  // LinkUp sends it
  }
  sent.publish = ++last_publish_;
  publishes_.emplace(sent.publish, sent.result->attempt);
  actions_->emplace_back(SendResult{sent.publish, sent.result});
}

// Unconfirmed results are never forgotten; there are at most as many as dispatches in flight.
void Consumer::forget_old_results() {
  while (results_order_.size() > config_.results_max) {
    const auto oldest = results_.find(results_order_.front());
    if (oldest != results_.end() && !oldest->second.confirmed) {
      return;
    }
    if (oldest != results_.end()) {
      results_.erase(oldest);
    }
    results_order_.pop_front();
  }
}

void Consumer::on(const PublishSettled& event) {
  const auto publish = publishes_.find(event.id);
  if (publish == publishes_.end()) {
    return;
  }
  const auto at = results_.find(publish->second);
  publishes_.erase(publish);
  if (at == results_.end() || at->second.publish != event.id) {
    return;
  }
  SentResult& sent = at->second;
  sent.publish = 0;
  if (event.end == PublishEnd::Confirmed) {
    sent.confirmed = true;
    if (sent.delivery.has_value()) {
      actions_->emplace_back(AckDelivery{*sent.delivery});
      sent.delivery.reset();
    }
  }
  // Otherwise the next heartbeat sends it again.
}

void Consumer::on(const Tick& /*event*/) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    start_next(l);  // a batch of which a part never came
  }
  if (!linked_ || now_ < next_beat_) {
    return;
  }
  beat();
  for (auto& [attempt, sent] : results_) {
    if (!sent.confirmed && sent.publish == 0) {
      send(sent);
    }
  }
}

}  // namespace juggler
