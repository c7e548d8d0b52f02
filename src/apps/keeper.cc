#include "apps/keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "apps/fleet_json.h"
#include "files/sha256.h"
#include "runtime/topology.h"
#include "telemetry/printable.h"
#include "wire/messages.h"

namespace juggler {
namespace {

constexpr Micros kLookEvery = seconds(1);
constexpr Micros kLookAnyway = seconds(10);
constexpr std::size_t kToldMax = kNotesMax;
constexpr Micros kToldFor = seconds(600);  // then it has not asked ten times
constexpr std::size_t kHeldToldMax = 256;  // variants of one device that are remembered

}  // namespace

SessionPlan keeper_plan() {
  SessionPlan plan;
  plan.connection_name = "juggler keeper";
  plan.reconnect_max = seconds(2);
  plan.declare_topology = true;  // it may come before the first controller
  plan.reply_queue = true;       // of the controller, to what the keeper asks
  plan.controllers_replies = true;
  Subscription fetches;
  fetches.queue = wire::kFetchesQueue;
  fetches.prefetch = 0;
  fetches.no_ack = true;  // who gets no answer asks again
  fetches.own = {.wanted = true,
                 .message_ttl_ms = 30'000,
                 .length_max = 20'000,
                 .bytes_max = mebibytes(64),
                 .bindings = {{wire::kModelsExchange, wire::kFetchesQueue}}};
  Subscription questions;
  questions.queue = kKeeperQueue;
  questions.prefetch = 0;
  questions.no_ack = true;
  questions.own = {.wanted = true,
                   .message_ttl_ms = 30'000,
                   .length_max = 1'000,
                   .bytes_max = mebibytes(16),
                   .bindings = {{wire::kSubmitExchange, kKeeperQueue}}};
  plan.subscriptions = {fetches, questions};
  return plan;
}

Keeper::Keeper(Transport& transport, Clock& clock, ModelShelf& shelf, RecordAccess record,
               std::string login)
    : transport_(transport),
      clock_(clock),
      shelf_(shelf),
      access_(std::move(record)),
      login_(std::move(login)),
      rollouts_(clock_, access_, [this](wire::Envelope envelope) {
        envelope.reply_to = reply_queue_;
        publish(std::move(envelope));
      }) {}

PublishId Keeper::publish(wire::Envelope envelope) {
  transport_.publish(++last_publish_, std::move(envelope));
  return last_publish_;
}

void Keeper::turn(Micros wait_max) {
  std::vector<TransportEvent> events;
  transport_.poll(wait_max, events);
  for (const TransportEvent& event : events) {
    handle(event);
  }
  // Changes of the record show where somebody asks; a rollout goes on whoever asks.
  if (rollouts_.rolling() || clock_.now() - looked_at_ >= kLookAnyway) {
    look();
  }
  if (rollouts_.turn(record_, [this](const std::string& id) { return told_.contains(id); })) {
    looked_ = false;
    look();
  }
}

void Keeper::handle(const TransportEvent& event) {
  if (const auto* delivery = std::get_if<TransportDelivery>(&event)) {
    serve(*delivery);
  } else if (const auto* lost = std::get_if<TransportDisconnected>(&event)) {
    spdlog::warn("no connection to the broker: {}; trying again", lost->reason);
  } else if (const auto* settled = std::get_if<TransportSettled>(&event)) {
    const auto to = told_to_.find(settled->id);
    if (to != told_to_.end() && settled->end == PublishEnd::Returned) {
      transport_.enrol(to->second);  // it asks again when it has its queues
    }
    if (to != told_to_.end()) {
      told_to_.erase(to);
    }
  } else if (const auto* connected = std::get_if<TransportConnected>(&event)) {
    reply_queue_ = connected->reply_queue;
    looked_ = false;
    look();  // a rollout goes on, whoever asks
    access_.nudge();
    spdlog::info("ready: {} variants", shelf_.variants().size());
  }
}

void Keeper::look() {
  if (looked_ && clock_.now() - looked_at_ < kLookEvery) {
    return;
  }
  looked_ = true;
  if (const Result<bool> changed = shelf_.refresh(); !changed) {
    if (shelf_problem_ != changed.error().message) {
      spdlog::warn("{}", changed.error().message);
    }
    shelf_problem_ = changed.error().message;
  } else {
    shelf_problem_.clear();
  }
  Result<FleetRecord> record = access_.read();
  if (record) {
    record_ = std::move(*record);
    record_problem_.clear();
  } else {
    if (record_problem_ != record.error().message) {
      spdlog::warn("{}", record.error().message);
    }
    record_problem_ = record.error().message;
  }
  looked_at_ = clock_.now();
  forget_silent();
}

// Devices that are gone, or are called otherwise.
void Keeper::forget_silent() {
  std::erase_if(told_, [this](const auto& one) { return looked_at_ - one.second.at > kToldFor; });
}

void Keeper::serve(const TransportDelivery& delivery) {
  const wire::Envelope& envelope = delivery.envelope;
  if (delivery.queue == kKeeperQueue) {
    if (wire::allowed_reply_to(envelope.reply_to) && !envelope.reply_to.empty()) {
      answer_question(envelope);
    }
  } else if (delivery.queue != wire::kFetchesQueue) {
    rollouts_.heard(envelope);
  } else if (wire::is_chunk_asked(envelope)) {
    serve_chunk(envelope);
  } else {
    serve_models(envelope);
  }
}

bool Keeper::speaks_for(const wire::Envelope& envelope, const std::string& device) const {
  return valid_device_id(device) && !envelope.user_id.empty() &&
         (envelope.user_id == device || envelope.user_id == login_);
}

// Into that device's control queue, whatever reply_to says.
void Keeper::tell(const std::string& device, const wire::ModelsWanted& wanted) {
  if (valid_device_id(device)) {
    told_to_[publish(wire::encode_models_wanted(wanted, device))] = device;
  }
}

void Keeper::serve_models(const wire::Envelope& envelope) {
  const Result<wire::ModelsAsked> asked = wire::decode_models_asked(envelope);
  if (!asked) {
    spdlog::warn("a question of '{}' was refused: {}", printable(envelope.user_id),
                 printable(asked.error().message));
    tell(envelope.user_id, {"", {}, asked.error().message});
    return;
  }
  // The broker has checked the login; it says nothing of other devices.
  if (!speaks_for(envelope, asked->device)) {
    spdlog::warn("'{}' asked for the models of '{}': refused", printable(envelope.user_id),
                 printable(asked->device));
    tell(envelope.user_id, {"", {}, "this login is another device's"});
    return;
  }
  look();
  const auto known = told_.find(asked->device);
  if (known == told_.end() || known->second.asked.problems != asked->problems) {
    for (const wire::FetchProblem& problem : asked->problems) {
      spdlog::warn("{}: {}{}{}", asked->device, printable(problem.variant),
                   problem.variant.empty() ? "" : ": ", printable(problem.problem));
    }
  }
  if (known != told_.end() || told_.size() < kToldMax) {
    Told& told = told_[asked->device];
    told = {*asked, clock_.now()};
    told.asked.held.resize(std::min(told.asked.held.size(), kHeldToldMax));
  }
  tell(asked->device, wanted_by(asked->device));
}

wire::ModelsWanted Keeper::wanted_by(const std::string& device) {
  if (!record_problem_.empty() || shelf_.variants().empty()) {
    return {"",
            {},
            !record_problem_.empty() ? record_problem_
            : shelf_problem_.empty() ? "the controller's side has no models"
                                     : shelf_problem_};
  }
  const ShelfOffer offer = shelf_.offer(wanted_variants(record_, device, shelf_.variants()));
  wire::ModelsWanted wanted;
  wanted.catalogue = offer.catalogue;
  for (const ContentFile& file : offer.labels) {
    wanted.labels.push_back({file.sha256, file.size});
  }
  return wanted;
}

void Keeper::serve_chunk(const wire::Envelope& envelope) {
  const Result<wire::ChunkAsked> asked = wire::decode_chunk_asked(envelope);
  if (!asked) {
    return;  // who asks so would not understand the answer either
  }
  const std::string& device = asked->device.empty() ? envelope.user_id : asked->device;
  if (!speaks_for(envelope, device)) {
    return;
  }
  const Result<std::string> bytes = shelf_.read(asked->sha256, asked->offset, wire::kChunkBytesMax);
  wire::Chunk chunk{asked->sha256, asked->offset, nullptr, ""};
  if (!bytes || bytes->empty()) {
    chunk.problem = bytes ? "there is nothing at that place of the file" : bytes.error().message;
    publish(wire::encode_chunk(chunk, "", device));
    return;
  }
  const std::string digest = sha256_hex(*bytes);
  chunk.bytes = wire::make_body(*bytes);
  publish(wire::encode_chunk(chunk, digest, device));
}

void Keeper::answer_question(const wire::Envelope& envelope) {
  look();
  wire::Envelope answer;
  answer.routing_key = envelope.reply_to;
  answer.type = "juggler.answer.v1";
  answer.content_type = "application/json";
  answer.correlation_id = envelope.correlation_id;
  answer.persistent = false;
  answer.mandatory = false;
  std::map<std::string, DeviceReport> reports;
  for (const auto& [device, told] : told_) {
    reports[device] = {told.asked, clock_.now() - told.at};
  }
  answer.body =
      wire::make_body(record_problem_.empty() ? fleet_json(record_, shelf_.catalogue(), reports)
                                              : error_json(record_problem_));
  publish(std::move(answer));
}

}  // namespace juggler
