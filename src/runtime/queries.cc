#include "runtime/queries.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/lane_costs.h"
#include "core/profile_point.h"
#include "core/result.h"
#include "runtime/controller_shell.h"
#include "runtime/host_json.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::size_t kQuestionBytesMax = 4096;
constexpr std::string_view kQueries = "devices, models, policies, tasks, explain, status";
constexpr std::size_t kTasksMax = 200;  // listed at most: the live ones, then the last answered
constexpr std::size_t kAnsweredMax = 10'000;  // looked through for them

double percent(MilliPercent accuracy) { return static_cast<double>(accuracy.count) / 1000.0; }

json energy_json(const std::optional<EnergyFigure>& energy) {
  if (!energy.has_value()) {
    return nullptr;
  }
  return {{"energy_uj", energy->value.count},
          {"energy_uj_low", energy->low.count},
          {"energy_uj_high", energy->high.count},
          {"energy_evidence", to_string(energy->evidence)},
          {"energy_scope", to_string(energy->scope)}};
}

std::size_t waiting_in(const Lane& lane) {
  std::size_t tasks = 0;
  for (const OpenBatch& batch : *lane.line) {
    tasks += static_cast<std::size_t>(batch.tasks);
  }
  return tasks;
}

json processor_json(const Processor& processor, const Lane& lane) {
  return {{"id", processor.id},
          {"kind", to_string(processor.kind)},
          {"runtime", processor.runtime},
          {"variants", processor.profiles.size()},
          {"window_batches", processor.window_batches},
          {"in_flight", lane.queued() - waiting_in(lane)},
          {"waiting", waiting_in(lane)},
          {"completed", lane.completed}};
}

json devices(const Controller& controller, Time now) {
  json list = json::array();
  for (const DeviceState& device : controller.fleet().devices()) {
    json processors = json::array();
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      processors.push_back(processor_json(device.facts->processors[l], device.lanes[l]));
    }
    json entry{{"id", device.facts->id},
               {"board", device.facts->board},
               {"title", device.facts->title},
               {"twin", device.facts->twin},
               {"state", to_string(device.liveness)},
               {"heard_us_ago", (now - device.last_heard).count},
               {"network_us", device.network().count},
               {"memory_bytes", device.facts->memory.count},
               {"variants", device.facts->variants.size()},
               {"processors", std::move(processors)}};
    if (device.memory_free.has_value()) {
      entry["memory_bytes_free"] = device.memory_free->count;
    }
    if (device.facts->idle.has_value()) {
      entry["idle_mw"] = device.facts->idle->count;
    }
    if (device.facts->power_max.has_value()) {
      entry["power_mw_max"] = device.facts->power_max->count;
    }
    if (device.facts->battery_permille_min > 0) {
      entry["battery_permille_min"] = device.facts->battery_permille_min;
    }
    if (json host = host_json(device.host); !host.empty()) {
      entry["host"] = std::move(host);
    }
    list.push_back(std::move(entry));
  }
  return {{"devices", std::move(list)}};
}

json placement_json(const DeviceFacts& device, const Processor& processor, const Profile& profile) {
  const ProfilePoint& point = profile.points.front();
  const int batch_max = std::clamp(processor.batch_max, 1, kPlannedBatchMax);
  json entry{{"device", device.id},
             {"processor", processor.id},
             {"twin", device.twin},
             {"runtime", processor.runtime},
             {"latency_us_mean", point.latency_mean.count},
             {"latency_us_p95", point.latency_p95.count},
             {"batch_max", batch_max},
             {"batch_max_latency_us_p95", point_at(profile, batch_max).latency_p95.count},
             {"evidence", to_string(profile.evidence)},
             {"source", profile.source},
             {"memory_bytes", profile.memory.count}};
  entry["to_board_input_permille"] = device.to_board_input.factor_permille;
  entry.update(energy_json(point.energy).is_null() ? json::object() : energy_json(point.energy));
  return entry;
}

json models(const Controller& controller) {
  std::map<std::string, json> variants;  // by id
  for (const DeviceState& device : controller.fleet().devices()) {
    for (const Processor& processor : device.facts->processors) {
      for (const Profile& profile : processor.profiles) {
        const Variant* variant = device.facts->find_variant(profile.variant);
        const auto [at, added] = variants.try_emplace(profile.variant);
        if (added) {
          at->second = {{"id", variant->id},
                        {"model", variant->model},
                        {"network", variant->network},
                        {"precision", variant->precision},
                        {"accuracy_percent", percent(variant->accuracy)},
                        {"accuracy_evidence", to_string(variant->accuracy_evidence)},
                        {"weights", to_string(variant->weights)},
                        {"placements", json::array()}};
        }
        at->second["placements"].push_back(placement_json(*device.facts, processor, profile));
      }
    }
  }
  json list = json::array();
  for (auto& [id, variant] : variants) {
    list.push_back(std::move(variant));
  }
  return {{"models", std::move(list)}, {"auto_model", controller.config().auto_model}};
}

json policies_json(const Controller& controller) {
  json list = json::array();
  const std::string_view active = controller.policy();
  for (const PolicyEntry& policy : policies()) {
    list.push_back(
        {{"name", policy.name}, {"about", policy.about}, {"active", policy.name == active}});
  }
  for (const PolicyEntry& policy : policies_with_parameter()) {
    const std::string base = policy.name.substr(0, policy.name.find_first_of(":@") + 1);
    list.push_back({{"name", policy.name},
                    {"about", policy.about},
                    {"active", active.substr(0, base.size()) == base}});
  }
  return {{"policies", std::move(list)}};
}

std::string_view state_of(const TaskRecord& record) {
  switch (record.phase) {
    case TaskPhase::Waiting:
      return "waiting";
    case TaskPhase::InFlight:
      return "running";
    case TaskPhase::Answering:
      return "answering";
  }
  return "?";
}

// Where a task is: what an outcome says of its place, as far as it is known before the end.
json place_json(const Controller& controller, const Attempt& attempt) {
  json place{{"device", attempt.device}, {"variant", attempt.variant}};
  const DeviceState* device = controller.fleet().find(attempt.device);
  if (device == nullptr) {
    return place;  // it left
  }
  place["twin"] = device->facts->twin;
  if (const Variant* variant = device->facts->find_variant(attempt.variant)) {
    place["weights"] = to_string(variant->weights);
  }
  return place;
}

json live_json(const Controller& controller, const TaskRecord& record, Time now) {
  json entry{{"id", record.submission.key.id},
             {"state", state_of(record)},
             {"age_us", (now - record.received).count},
             {"remaining_us", (record.deadline - now).count},
             {"priority", record.submission.requirements.priority},
             {"attempts", record.attempts.size()}};
  if (record.phase == TaskPhase::Waiting) {
    entry["waiting_for"] = record.waiting_for;
  } else if (!record.attempts.empty()) {
    entry.update(place_json(controller, record.attempts.back()));
  }
  return entry;
}

// Whose tasks the question may be told of: one submitter's, or, where none is named, everybody's.
std::optional<std::string> asker_of(const wire::Envelope& question, const Answerer& self) {
  const bool operates = !question.user_id.empty() && question.user_id == self.login;
  return operates ? std::nullopt : std::optional(wire::submitter_of(question));
}

json tasks(const Controller& controller, Time now, const std::optional<std::string>& asker) {
  const auto hidden = [&asker](const TaskKey& key) {
    return asker.has_value() && key.submitter != *asker;
  };
  json list = json::array();
  std::size_t live = 0;
  std::size_t not_shown = 0;  // because they are others'
  for (const auto& [number, record] : controller.tasks().all()) {
    if (hidden(record.submission.key)) {
      ++not_shown;
      continue;
    }
    ++live;
    if (list.size() < kTasksMax) {
      list.push_back(live_json(controller, record, now));
    }
  }
  for (const Outcome* outcome : controller.answered().recent(kAnsweredMax)) {
    if (hidden(outcome->key)) {
      ++not_shown;
    } else if (list.size() < kTasksMax) {
      json entry = json::parse(wire::outcome_json(*outcome), nullptr, false);
      entry["state"] = to_string(outcome->kind);
      list.push_back(std::move(entry));
    }
  }
  return {{"tasks", std::move(list)}, {"live", live}, {"not_shown", not_shown}};
}

// The task's id, or what is wrong with the question.
Result<std::string> task_of(const json& asked) {
  const auto task = asked.find("task");
  if (task == asked.end()) {
    return fail(ErrorCode::InvalidArgument, "the query `explain` needs `task`: a task's id");
  }
  if (!task->is_string()) {
    return fail(ErrorCode::InvalidArgument,
                std::string("`task` is a task's id, a string; this is ") + task->type_name());
  }
  if (task->get_ref<const std::string&>().empty()) {
    return fail(ErrorCode::InvalidArgument, "`task` is empty: it is a task's id");
  }
  return task->get<std::string>();
}

json explain(const Controller& controller, const std::string& task,
             const std::optional<std::string>& asker) {
  const std::optional<Explanation> why = controller.explain(task, asker);
  if (!why.has_value()) {
    return {{"error", "no decision about task '" + task + "'" +
                          (asker.has_value() ? " of this login" : "") +
                          " is kept: the controller keeps its last " +
                          std::to_string(controller.config().decisions_max) +
                          " (see `juggler tasks` for ids)"}};
  }
  json candidates = json::array();
  for (const ExplainedCandidate& candidate : why->candidates) {
    json entry{{"device", candidate.device},
               {"processor", candidate.processor},
               {"variant", candidate.variant},
               {"twin", candidate.twin},
               {"weights", to_string(candidate.weights)},
               {"accuracy_percent", percent(candidate.accuracy)},
               {"latency_us", candidate.latency.count},
               {"finish_us", candidate.finish.count},
               {"verdict", to_string(candidate.verdict)},
               {"why", describe(candidate.verdict)},
               {"batch_tasks", candidate.tasks},
               {"cost_uj", candidate.cost_uj},
               {"waiting_uj", candidate.waiting_uj},
               {"accuracy_uj", candidate.accuracy_uj},
               {"price_uj", candidate.price_uj},
               {"tasks_before", candidate.tasks_before},
               {"chosen", candidate.chosen}};
    if (candidate.power.has_value()) {
      entry["power_mw"] = candidate.power->count;
    }
    if (candidate.energy.has_value()) {
      entry.update(energy_json(candidate.energy));
      entry["energy_uj_board_input"] = candidate.energy_decision->count;
    }
    candidates.push_back(std::move(entry));
  }
  json requirements{{"model", why->model}, {"priority", why->requirements.priority}};
  if (why->requirements.min_accuracy.has_value()) {
    requirements["min_accuracy_percent"] = percent(*why->requirements.min_accuracy);
  }
  if (why->requirements.max_energy.has_value()) {
    requirements["energy_uj_max"] = why->requirements.max_energy->count;
  }
  if (why->requirements.deadline.has_value()) {
    requirements["deadline_us"] = why->requirements.deadline->count;
  }
  json answer{{"task", why->task.id},
              {"policy", why->policy},
              {"decision", why->decision},
              {"reason", why->reason},
              {"requirements", std::move(requirements)},
              {"age_us", why->age.count},
              {"remaining_us", why->remaining.count},
              {"candidates", std::move(candidates)}};
  if (why->power_max.has_value()) {
    answer["power_mw_max"] = why->power_max->count;
    answer["power_mw"] = why->power_now.count;
  }
  return answer;
}

json status(const Controller& controller, const ShellStats& shell, const std::string& version) {
  const ControllerStats& stats = controller.stats();
  const FleetPower power = controller.power();
  json answer{{"version", version},
              {"epoch", controller.epoch()},
              {"policy", controller.policy()},
              {"devices", controller.fleet().devices().size()},
              {"live", controller.tasks().size()},
              {"waiting", controller.tasks().waiting_size()},
              {"submitted", stats.submitted},
              {"completed", stats.completed},
              {"rejected", stats.rejected},
              {"expired", stats.expired},
              {"failed", stats.failed},
              {"dispatched", stats.dispatched},
              {"attempts_failed", stats.attempts_failed},
              {"results_late", stats.results_late},
              {"results_surplus", stats.results_surplus},
              {"results_invented", stats.results_invented},
              {"hedged", stats.hedged},
              {"hedges_refused", stats.hedges_refused},
              {"loaded_ahead", stats.loaded_ahead},
              {"found_absent", stats.found_absent},
              {"false_alarms", stats.false_alarms},
              {"put_aside", stats.put_aside},
              {"malformed", shell.malformed},
              {"beats_left_out", shell.beats_left_out},
              {"power_mw", power.now.count},
              {"power_mw_at_rest", power.rest.count}};
  if (controller.config().power_max.has_value()) {
    answer["power_mw_max"] = controller.config().power_max->count;
  }
  const std::vector<DeviceState>& devices = controller.fleet().devices();
  answer["power_unknown_devices"] =
      std::count_if(devices.begin(), devices.end(), [](const DeviceState& device) {
        return device.liveness != Liveness::Gone && !device.facts->idle.has_value();
      });
  return answer;
}

json answer(const Controller& controller, const ShellStats& shell, const Answerer& self, Time now,
            const wire::Envelope& question) {
  if (Result<void> type = wire::check_type(question, "query"); !type) {
    return {{"error", type.error().message}};
  }
  if (question.body == nullptr || question.body->size() > kQuestionBytesMax) {
    return {{"error", "a question is a JSON object of at most 4096 bytes"}};
  }
  const json asked = json::parse(*question.body, nullptr, /*allow_exceptions=*/false);
  if (!asked.is_object()) {
    return {{"error", "a question is a JSON object, as in {\"query\": \"devices\"}"}};
  }
  const auto named = asked.find("query");
  if (named == asked.end() || !named->is_string()) {
    return {{"error", "a question has `query`, a string: " + std::string(kQueries)}};
  }
  const auto what = named->get<std::string>();
  if (what == "devices") {
    return devices(controller, now);
  }
  if (what == "models") {
    return models(controller);
  }
  if (what == "policies") {
    return policies_json(controller);
  }
  if (what == "tasks") {
    return tasks(controller, now, asker_of(question, self));
  }
  if (what == "explain") {
    const Result<std::string> task = task_of(asked);
    return task ? explain(controller, *task, asker_of(question, self))
                : json{{"error", task.error().message}};
  }
  if (what == "status") {
    return status(controller, shell, self.version);
  }
  return {{"error", "unknown query; there are: " + std::string(kQueries)}};
}

}  // namespace

wire::Envelope answer_query(const Controller& controller, const ShellStats& shell,
                            const Answerer& self, Time now, const wire::Envelope& question) {
  wire::Envelope reply;
  reply.routing_key = question.reply_to;
  reply.correlation_id = question.correlation_id;
  reply.type = wire::type_of("answer");
  reply.content_type = "application/json";
  reply.persistent = false;
  reply.mandatory = false;
  reply.body = wire::make_body(answer(controller, shell, self, now, question)
                                   .dump(-1, ' ', false, json::error_handler_t::replace));
  return reply;
}

wire::Envelope make_query(const std::string& what, const std::string& task,
                          const std::string& reply_to, const std::string& correlation_id) {
  wire::Envelope question;
  question.exchange = wire::kSubmitExchange;  // the one that submitters may write to
  question.routing_key = wire::kQueriesQueue;
  question.type = wire::type_of("query");
  question.content_type = "application/json";
  question.reply_to = reply_to;
  question.correlation_id = correlation_id;
  question.persistent = false;
  question.mandatory = true;
  question.expiration_ms = 10'000;
  json body{{"query", what}};
  if (!task.empty()) {
    body["task"] = task;
  }
  question.body = wire::make_body(body.dump(-1, ' ', false, json::error_handler_t::replace));
  return question;
}

}  // namespace juggler
