#pragma once
// The fields of a controller's tasks and of what is under way for them, for checkpoints; as
// state_access.h. Labels are left out: no step reads them. Inside src/wire only.

#include <string>
#include <utility>

#include "core/controller_state.h"
#include "wire/state_access.h"

namespace juggler::wire {

template <class Visit>
void each_field(Of<TaskKey> auto& key, const Visit& visit) {
  auto& [submitter, id] = key;
  visit("submitter", submitter);
  visit("id", id);
}

template <class Visit>
void each_field(Of<PayloadRef> auto& payload, const Visit& visit) {
  auto& [handle, size, kind, width, height] = payload;
  visit("handle", handle);
  visit("bytes", size);
  visit("kind", kind);
  visit("width", width);
  visit("height", height);
}

template <class Visit>
void each_field(Of<Requirements> auto& wanted, const Visit& visit) {
  auto& [model, device, min_accuracy, deadline, max_energy, priority, top_k, allow_synthetic] =
      wanted;
  visit("model", model);
  visit("device", device);
  visit("min_accuracy_millipercent", min_accuracy);
  visit("deadline_us", deadline);
  visit("max_energy_uj", max_energy);
  visit("priority", priority);
  visit("top_k", top_k);
  visit("allow_synthetic", allow_synthetic);
}

template <class Visit>
void each_field(Of<Submission> auto& submission, const Visit& visit) {
  auto& [key, reply_to, correlation_id, requirements, payload, redelivered] = submission;
  visit("key", key);
  visit("reply_to", reply_to);
  visit("correlation_id", correlation_id);
  visit("requirements", requirements);
  visit("payload", payload);
  visit("redelivered", redelivered);
}

template <class Visit>
void each_field(Of<AttemptId> auto& attempt, const Visit& visit) {
  auto& [task, epoch, number] = attempt;
  visit("submitter", task.submitter);
  visit("id", task.id);
  visit("epoch", epoch);
  visit("number", number);
}

template <class Visit>
void each_field(Of<DeliveryId> auto& delivery, const Visit& visit) {
  auto& [incarnation, tag] = delivery;
  visit("connection", incarnation);
  visit("tag", tag);
}

template <class Visit>
void each_field(Of<ControllerTimers::Id> auto& timer, const Visit& visit) {
  auto& [at, number] = timer;
  visit("at_us", at);
  visit("number", number);
}

template <class Visit>
void each_field(Of<Requester> auto& requester, const Visit& visit) {
  auto& [delivery, reply_to, correlation_id, unrouted, answered, number] = requester;
  visit("delivery", delivery);
  visit("reply_to", reply_to);
  visit("correlation_id", correlation_id);
  visit("unrouted", unrouted);
  visit("answered", answered);
  visit("number", number);
}

template <class Visit>
void each_field(Of<Attempt> auto& attempt, const Visit& visit) {
  auto& [id, device, processor, variant, dispatched, batch, adopted, loads, open, sent, came_back,
         unreadable, end] = attempt;
  visit("attempt", id);
  visit("device", device);
  visit("processor", processor);
  visit("variant", variant);
  visit("dispatched_us", dispatched);
  visit("batch", batch);
  visit("adopted", adopted);
  visit("loads", loads);
  visit("open", open);
  visit("sent", sent);
  visit("came_back", came_back);
  visit("unreadable", unreadable);
  visit("end", end);
}

template <class Visit>
void each_field(Of<TaskRecord::Place> auto& place, const Visit& visit) {
  auto& [device, lane, batch] = place;
  visit("device", device);
  visit("lane", lane);
  visit("batch", batch);
}

template <class Visit>
void each_field(Of<EnergyFigure> auto& energy, const Visit& visit) {
  auto& [value, low, high, evidence, scope] = energy;
  visit("uj", value);
  visit("uj_low", low);
  visit("uj_high", high);
  visit("evidence", evidence);
  visit("scope", scope);
}

template <class Visit>
void each_field(Of<AttemptRecord> auto& record, const Visit& visit) {
  auto& [device, processor, variant, end] = record;
  visit("device", device);
  visit("processor", processor);
  visit("variant", variant);
  visit("end", end);
}

template <class Visit>
void each_field(Of<Outcome> auto& outcome, const Visit& visit) {
  auto& [key, kind, reason, labels, attempts, device, processor, variant, twin, runtime, accuracy,
         accuracy_evidence, weights, energy, total, waiting, network, queued, compute, deadline] =
      outcome;
  visit("submitter", key.submitter);
  visit("id", key.id);
  visit("kind", kind);
  visit("reason", reason);
  visit("attempts", attempts);
  visit("device", device);
  visit("processor", processor);
  visit("variant", variant);
  visit("twin", twin);
  visit("runtime", runtime);
  visit("accuracy_millipercent", accuracy);
  visit("accuracy_evidence", accuracy_evidence);
  visit("weights", weights);
  visit("energy", energy);
  visit("total_us", total);
  visit("waiting_us", waiting);
  visit("network_us", network);
  visit("queued_us", queued);
  visit("compute_us", compute);
  visit("deadline_us", deadline);
}

template <class Visit>
void each_field(Of<TaskRecord> auto& record, const Visit& visit) {
  auto& [number, submission, payload_kept, requesters, received, deadline, dispatch_from, phase,
         waiting_for, place, deadline_stated, asked, attempts, devices_failed, blamed,
         deadline_timer, outcome, stands, result_bytes, results, publishes_open, resends,
         resend_due, decided_kept, dead_kept, dead_letter, record_decided] = record;
  visit("number", number);
  visit("submission", submission);
  visit("payload_kept", payload_kept);
  visit("requesters", requesters);
  visit("received_us", received);
  visit("deadline_us", deadline);
  visit("dispatch_from_us", dispatch_from);
  visit("phase", phase);
  visit("waiting_for", waiting_for);
  visit("place", place);
  visit("deadline_stated", deadline_stated);
  visit("asked", asked);
  visit("attempts", attempts);
  visit("devices_failed", devices_failed);
  visit("blamed", blamed);
  visit("deadline_timer", deadline_timer);
  visit("outcome", outcome);
  visit("stands", stands);
  visit("result_bytes", result_bytes);
  visit("results", results);
  visit("publishes_open", publishes_open);
  visit("resends", resends);
  visit("resend_due", resend_due);
  visit("decided_kept", decided_kept);
  visit("dead_kept", dead_kept);
  visit("dead_letter", dead_letter);
  visit("record_decided", record_decided);
}

template <class Visit>
void each_field(Of<LiveTask> auto& task, const Visit& visit) {
  auto& [record, named] = task;
  visit("record", record);
  visit("named", named);
}

template <class Visit>
void each_field(Of<Answered> auto& answered, const Visit& visit) {
  auto& [outcome, stands, acked_in, result_bytes] = answered;
  visit("outcome", outcome);
  visit("stands", stands);
  visit("acked_in", acked_in);
  visit("result_bytes", result_bytes);
}

template <class Visit>
void each_field(Of<AttemptResult> auto& result, const Visit& visit) {
  auto& [attempt, device, processor, variant, status, reason, fell_back, labels, synthetic, queued,
         compute, slowed, batch_size, energy, redelivered, stamp] = result;
  visit("attempt", attempt);
  visit("device", device);
  visit("processor", processor);
  visit("variant", variant);
  visit("status", status);
  visit("reason", reason);
  visit("fell_back", fell_back);
  visit("synthetic_labels", synthetic);
  visit("queued_us", queued);
  visit("compute_us", compute);
  visit("slowed_us", slowed);
  visit("batch_size", batch_size);
  visit("energy", energy);
  visit("redelivered", redelivered);
  visit("stamp", stamp);
}

template <class Visit>
void each_field(Of<std::pair<AttemptId, DeliveryId>> auto& entry, const Visit& visit) {
  auto& [attempt, delivery] = entry;
  visit("attempt", attempt);
  visit("delivery", delivery);
}

template <class Visit>
void each_field(Of<Orphan> auto& orphan, const Visit& visit) {
  auto& [result, deliveries, counted, until, size] = orphan;
  visit("result", result);
  visit("deliveries", deliveries);
  visit("counted_device", counted.first);
  visit("counted_bytes", counted.second);
  visit("until_us", until);
  visit("bytes", size);
}

template <class Visit>
void each_field(Of<ControllerTimer> auto& timer, const Visit& visit) {
  auto& [kind, task, attempt, device, processor, batch, key] = timer;
  visit("kind", kind);
  visit("task", task);
  visit("attempt", attempt);
  visit("device", device);
  visit("processor", processor);
  visit("batch", batch);
  visit("key", key);
}

template <class Visit>
void each_field(Of<ControllerState::SetTimer> auto& set, const Visit& visit) {
  auto& [id, timer] = set;
  visit("id", id);
  visit("timer", timer);
}

template <class Visit>
void each_field(Of<OpenPublish> auto& publish, const Visit& visit) {
  auto& [kind, task, requester, attempt] = publish;
  visit("kind", kind);
  visit("task", task);
  visit("requester", requester);
  visit("attempt", attempt);
}

template <class Visit>
void each_field(Of<ControllerState::SentPublish> auto& sent, const Visit& visit) {
  auto& [id, publish] = sent;
  visit("id", id);
  visit("publish", publish);
}

template <class Visit>
void each_field(Of<OpenAttempt> auto& open, const Visit& visit) {
  auto& [timer, device, batch, task, patience, deadline, dispatched, delays, tells_of_way] = open;
  visit("timer", timer);
  visit("device", device);
  visit("batch", batch);
  visit("task", task);
  visit("patience_us", patience);
  visit("deadline_us", deadline);
  visit("dispatched_us", dispatched);
  visit.table("delays_us", delays, [](auto& delay, const auto& number) { number(delay); });
  visit("tells_of_way", tells_of_way);
}

template <class Visit>
void each_field(Of<ControllerState::RunningAttempt> auto& running, const Visit& visit) {
  auto& [id, attempt] = running;
  visit("id", id);
  visit("attempt", attempt);
}

template <class Visit>
void each_field(Of<DecidedRead> auto& decided, const Visit& visit) {
  auto& [outcome] = decided;
  visit("outcome", outcome);
}

template <class Visit>
void each_field(Of<ControllerStats> auto& stats, const Visit& visit) {
  auto& [submitted, attached, repeated, completed, rejected, expired, failed, dispatched,
         attempts_failed, attempts_timed_out, hedged, hedges_refused, loaded_ahead, results_late,
         results_orphaned, results_surplus, results_invented, found_absent, put_aside,
         false_alarms] = stats;
  visit("submitted", submitted);
  visit("attached", attached);
  visit("repeated", repeated);
  visit("completed", completed);
  visit("rejected", rejected);
  visit("expired", expired);
  visit("failed", failed);
  visit("dispatched", dispatched);
  visit("attempts_failed", attempts_failed);
  visit("attempts_timed_out", attempts_timed_out);
  visit("hedged", hedged);
  visit("hedges_refused", hedges_refused);
  visit("loaded_ahead", loaded_ahead);
  visit("results_late", results_late);
  visit("results_orphaned", results_orphaned);
  visit("results_surplus", results_surplus);
  visit("results_invented", results_invented);
  visit("found_absent", found_absent);
  visit("put_aside", put_aside);
  visit("false_alarms", false_alarms);
}

template <class Visit>
void each_field(Of<ControllerState::Whole> auto& whole, const Visit& visit) {
  auto& [now, leading, blocked, epoch, led_since, tasks_read, last_publish, last_batch, own_ids,
         hopeless_sought, liveness_timer, silence_timer, silence_due, last_timer, last_task,
         arrivals, hedge_budget, policy_rng, policy_memory, stats] = whole;
  visit("now_us", now);
  visit("leading", leading);
  visit("blocked", blocked);
  visit("epoch", epoch);
  visit("led_since_us", led_since);
  visit("tasks_read_us", tasks_read);
  visit("last_publish", last_publish);
  visit("last_batch", last_batch);
  visit("own_ids", own_ids);
  visit("hopeless_sought_us", hopeless_sought);
  visit("liveness_timer", liveness_timer);
  visit("silence_timer", silence_timer);
  visit("silence_due_us", silence_due);
  visit("last_timer", last_timer);
  visit("last_task", last_task);
  visit("arrivals", arrivals);
  visit("hedge_budget", hedge_budget);
  visit("policy_rng", policy_rng);
  visit("policy_memory", policy_memory);
  visit("stats", stats);
}

}  // namespace juggler::wire
