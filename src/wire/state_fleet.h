#pragma once
// The fields of what a controller believes of its devices, for checkpoints; as state_access.h.
// Inside src/wire only.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/fleet.h"
#include "wire/state_access.h"

namespace juggler::wire {

template <class Visit>
void each_field(Of<BatchInFlight> auto& flying, const Visit& visit) {
  auto& [batch, profile, open, any_left, loads, mean, spread, there, patience, overdue] = flying;
  visit("batch", batch);
  visit("profile", profile);
  visit("open", open);
  visit("any_left", any_left);
  visit("loads", loads);
  visit("mean_us", mean);
  visit("spread_us", spread);
  visit("there_us", there);
  visit("patience_us", patience);
  visit("overdue_us", overdue);
}

template <class Visit>
void each_field(Of<OpenBatch> auto& batch, const Visit& visit) {
  auto& [id, profile, tasks, hoped, bytes, priority, due, opened, opened_at, patient] = batch;
  visit("id", id);
  visit("profile", profile);
  visit("tasks", tasks);
  visit("hoped", hoped);
  visit("bytes", bytes);
  visit("priority", priority);
  visit("due_us", due);
  visit("opened_us", opened);
  visit("opened_at", opened_at);
  visit("patient", patient);
}

template <class Visit>
void each_field(Of<Member> auto& member, const Visit& visit) {
  auto& [task, priority, due, patient, bytes, joined_at] = member;
  visit("task", task);
  visit("priority", priority);
  visit("due_us", due);
  visit("patient", patient);
  visit("bytes", bytes);
  visit("joined_at", joined_at);
}

template <class Visit>
void each_field(Of<std::pair<std::uint64_t, std::vector<Member>>> auto& entry, const Visit& visit) {
  auto& [batch, members] = entry;
  visit("batch", batch);
  visit("tasks", members);
}

template <class Visit>
void each_field(Of<PowerHold> auto& hold, const Visit& visit) {
  auto& [power, until] = hold;
  visit("power_mw", power);
  visit("until_us", until);
}

template <class Visit>
void each_field(Of<ProfileLearned> auto& learned, const Visit& visit) {
  auto& [residual, spread, joined, came, samples, loaded, stopped, confirmed] = learned;
  visit("residual_permille", residual);
  visit("spread_permille", spread);
  visit("joined_permille", joined);
  visit("came_permille", came);
  visit("samples", samples);
  visit("loaded", loaded);
  visit("stopped", stopped);
  visit("confirmed_us", confirmed);
}

template <class Visit>
void each_field(Of<LaneLearned> auto& learned, const Visit& visit) {
  auto& [factor, surprises, profiles] = learned;
  visit("factor_permille", factor);
  visit("surprises", surprises);
  visit("profiles", profiles);
}

template <class Visit>
void each_field(Of<Lane> auto& lane, const Visit& visit) {
  auto& [costs, learned, line, in_flight, head_since, members, price, completed, power_hold, wake] =
      lane;  // the costs follow from the facts
  visit("learned", learned);
  visit("line", line);
  visit("in_flight", in_flight);
  visit("head_since_us", head_since);
  visit("members", members);
  visit("price", price);
  visit("completed", completed);
  visit("power_hold", power_hold);
  visit("wake_us", wake);
}

template <class Visit>
void each_field(Of<Link> auto& link, const Visit& visit) {
  auto& [round_trip, spread, pace, free_at, next_at] = link;
  visit("round_trip_us", round_trip);
  visit("spread_us", spread);
  visit("ns_per_byte", pace.ns_per_byte);
  visit("free_at_us", free_at);
  visit("next_at_us", next_at);
}

template <class Visit>
void each_field(Of<Pulse> auto& pulse, const Visit& visit) {
  auto& [beat, patience, alarmed, asked, told, fell_silent, leaving] = pulse;
  visit("beat_us", beat);
  visit("patience", patience);
  visit("alarmed_us", alarmed);
  visit("asked_us", asked);
  visit("told_us", told);
  visit("fell_silent", fell_silent);
  visit("leaving", leaving);
}

template <class Visit>
void each_field(Of<DeviceState> auto& device, const Visit& visit) {
  auto& [facts, liveness, last_heard, enrol_asked, pulse, breaker, memory_free, battery_low, host,
         link, lanes] = device;
  visit("facts", facts);
  visit("liveness", liveness);
  visit("last_heard_us", last_heard);
  visit("enrol_asked_us", enrol_asked);
  visit("pulse", pulse);
  visit("breaker", breaker);
  visit("memory_bytes_free", memory_free);
  visit("battery_low", battery_low);
  // Of the rest of its host no step reads anything.
  visit("throttled", host.throttled);
  visit("under_voltage", host.under_voltage);
  visit("link", link);
  visit("lanes", lanes);
}

}  // namespace juggler::wire
