#include "apps/rollout_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "apps/client.h"
#include "apps/json_fields.h"
#include "runtime/queries.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr Micros kAskEvery = seconds(1);
constexpr Micros kSettling = seconds(5);
constexpr Micros kProbeEvery = milliseconds(500);
constexpr int kProbeSide = 64;  // of the picture that is tried where nobody sends any

// A picture of many values, raw: nothing has to encode it.
wire::Body probe_picture() {
  std::string pixels;
  pixels.reserve(std::size_t{3} * kProbeSide * kProbeSide);
  std::uint32_t value = 12'345;
  for (int i = 0; i < 3 * kProbeSide * kProbeSide; ++i) {
    value = value * 1'664'525U + 1'013'904'223U;
    pixels.push_back(static_cast<char>(value >> 24U));
  }
  return wire::make_body(std::move(pixels));
}

}  // namespace

SessionPlan results_watch_plan() {
  SessionPlan plan;
  plan.connection_name = "juggler keeper: results";
  plan.reconnect_max = seconds(2);
  Subscription results;
  results.queue = "juggler.results-watch";
  results.prefetch = 0;
  results.no_ack = true;
  results.own = {.wanted = true,
                 .unique_name = true,
                 .message_ttl_ms = 5'000,
                 .length_max = 10'000,
                 .bindings = {{wire::kUpExchange, "result.*"}}};
  plan.subscriptions = {results};
  return plan;
}

bool RolloutRun::turn(const FleetRecord& record, const Fetches& fetches) {
  const bool any =
      std::any_of(record.rollouts.begin(), record.rollouts.end(),
                  [](const Rollout& rollout) { return rollout.state == RolloutState::Rolling; });
  if (!any) {
    trials_.clear();
    results_.reset();
    answered_ = false;
    rolls_since_.reset();
    return false;
  }
  rolls_since_ = rolls_since_.value_or(clock_.now());
  watch_results();
  ask_controller();
  // Who fetches its models shows when it asks; a keeper that has just started asks them to.
  if (!answered_ || clock_.now() - *rolls_since_ < kSettling) {
    return false;
  }
  for (const Rollout& rollout : record.rollouts) {
    if (rollout.state != RolloutState::Rolling) {
      trials_.erase(rollout.variant);
    } else if (advance(record, rollout, trials_[rollout.variant], fetches)) {
      return true;
    }
  }
  return false;
}

void RolloutRun::watch_results() {
  if (results_ == nullptr) {
    results_ = access_.open_results();
  }
  std::vector<TransportEvent> events;
  results_->poll(Micros{0}, events);
  for (const TransportEvent& event : events) {
    const auto* delivery = std::get_if<TransportDelivery>(&event);
    if (delivery == nullptr) {
      continue;
    }
    const Result<AttemptResult> result = wire::decode_result(delivery->envelope);
    const auto trial = result ? trials_.find(result->variant) : trials_.end();
    const bool counts =
        trial != trials_.end() && trial->second.device == result->device &&
        (result->status == AttemptStatus::Ok || result->status == AttemptStatus::Error);
    if (counts) {
      trial->second.seen.note(result->status == AttemptStatus::Error, result->compute,
                              result->batch_size);
    }
  }
}

void RolloutRun::ask_controller() {
  if (clock_.now() - asked_at_ < kAskEvery && questions_ > 0) {
    return;
  }
  asked_at_ = clock_.now();
  for (const char* what : {"devices", "models"}) {
    publish_(make_query(what, "", "", fmt::format("keeper-{}-{}", what, ++questions_)));
  }
}

void RolloutRun::heard(const wire::Envelope& envelope) {
  if (envelope.correlation_id.rfind("keeper-", 0) != 0 || envelope.body == nullptr) {
    return;  // the outcome of a trial: its result was seen
  }
  const json answer = json::parse(*envelope.body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) {
    return;
  }
  if (answer.contains("devices")) {
    live_.clear();
    for (const json& device : list_of(answer, "devices")) {
      if (text_of(device, "state") == "live") {
        live_.push_back(text_of(device, "id"));
      }
    }
    answered_ = true;
  }
  if (answer.contains("models")) {
    served_.clear();
    for (const json& model : list_of(answer, "models")) {
      for (const json& placement : list_of(model, "placements")) {
        const Micros mean{integer_of(placement, "latency_us_mean").value_or(0)};
        if (mean <= Micros{}) {
          continue;  // nobody has measured it
        }
        const auto key = std::pair(text_of(model, "id"), text_of(placement, "device"));
        const auto [at, first] = served_.try_emplace(key, mean);
        at->second = std::max(at->second, mean);  // the slowest of its processors
      }
    }
  }
}

bool RolloutRun::is_live(const std::string& device) const {
  return std::find(live_.begin(), live_.end(), device) != live_.end();
}

std::optional<Micros> RolloutRun::measured(const std::string& variant,
                                           const std::string& device) const {
  const auto at = served_.find({variant, device});
  return at != served_.end() && is_live(device) ? std::optional(at->second) : std::nullopt;
}

// As a task of its own, behind all others, for this device alone: where others have the variant
// too, it might never be asked.
void RolloutRun::probe(const std::string& variant, Trial& trial) {
  if (trial.seen.results >= kRolloutResultsMin || trial.probes >= kRolloutProbesMax ||
      clock_.now() - trial.probed_at < kProbeEvery) {
    return;
  }
  trial.probes += 1;
  trial.probed_at = clock_.now();
  static const wire::Body kPicture = probe_picture();
  Submission submission;
  submission.key.id = fresh_task_id("rollout");
  submission.correlation_id = submission.key.id;
  submission.requirements.model = variant;
  submission.requirements.device = trial.device;
  submission.requirements.priority = 0;
  submission.requirements.deadline = seconds(30);
  submission.payload.kind = PayloadKind::RawRgb;
  submission.payload.width = kProbeSide;
  submission.payload.height = kProbeSide;
  submission.payload.size = {static_cast<std::int64_t>(kPicture->size())};
  wire::Envelope envelope = wire::encode_submission(submission, kPicture);
  envelope.persistent = false;
  publish_(std::move(envelope));
}

bool RolloutRun::advance(const FleetRecord& record, const Rollout& rollout, Trial& trial,
                         const Fetches& fetches) {
  const Time now = clock_.now();
  if (!rollout.reached.empty() && trial.device != rollout.reached.back()) {
    trial = {.device = rollout.reached.back(),
             .seen = {},
             .reached_at = now,
             .served_at = {},
             .probed_at = {},
             .probes = 0};
  }
  RolloutStep step{RolloutStep::Kind::Next};  // to the first device
  if (!rollout.reached.empty()) {
    const auto takes = measured(rollout.variant, trial.device);
    if (takes.has_value()) {
      trial.served_at = trial.served_at.value_or(now);
      probe(rollout.variant, trial);
    }
    step = judge(rollout, trial.seen,
                 {.live = is_live(trial.device),
                  .measured = takes,
                  .since_reached = now - trial.reached_at,
                  .since_served = now - trial.served_at.value_or(now)});
  }
  if (step.kind == RolloutStep::Kind::RollBack) {
    spdlog::warn("{} is rolled back: {}", rollout.variant, step.reason);
    return change(rollout.variant, [&](Rollout& one) {
      one.state = RolloutState::RolledBack;
      one.reason = step.reason;
    });
  }
  if (step.kind == RolloutStep::Kind::Wait) {
    return false;
  }
  std::vector<std::string> possible;
  std::copy_if(live_.begin(), live_.end(), std::back_inserter(possible), fetches);
  const std::optional<std::string> next = next_device(record, rollout, possible);
  if (next.has_value()) {
    spdlog::info("{} goes to {}", rollout.variant, *next);
    return change(rollout.variant, [&](Rollout& one) { one.reached.push_back(*next); });
  }
  if (rollout.reached.empty()) {
    return false;  // nobody is there whom it is meant for
  }
  spdlog::info("{} is rolled out", rollout.variant);
  return change(rollout.variant, [](Rollout& one) { one.state = RolloutState::Done; });
}

bool RolloutRun::change(const std::string& variant, const std::function<void(Rollout&)>& change) {
  const Result<FleetRecord> kept = access_.edit([&](FleetRecord& record) {
    Rollout* rollout = record.rollout_of(variant);
    if (rollout != nullptr && rollout->state == RolloutState::Rolling) {
      change(*rollout);
    }
    return Result<void>();
  });
  if (!kept) {
    spdlog::warn("the rollout of {} stands still: {}", variant, kept.error().message);
    return false;
  }
  access_.nudge();
  return true;
}

}  // namespace juggler
