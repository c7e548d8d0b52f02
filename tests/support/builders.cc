#include "support/builders.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace juggler::test {

Variant variant(const std::string& id, double accuracy_percent) {
  Variant made;
  made.id = id;
  made.model = "imagenet";
  const std::size_t dash = id.rfind('-');
  made.network = id.substr(0, dash);
  made.precision = dash == std::string::npos ? "fp32" : id.substr(dash + 1);
  made.accuracy = {std::llround(accuracy_percent * 1000)};
  made.weights = Weights::Pretrained;
  return made;
}

Variant synthetic(const std::string& id, double accuracy_percent) {
  Variant made = variant(id, accuracy_percent);
  made.weights = Weights::Synthetic;
  return made;
}

EnergyFigure energy_mj(double mj, double width) {
  EnergyFigure energy;
  energy.value = {std::llround(mj * 1000)};
  energy.low = {std::llround(mj * 1000 * (1 - width))};
  energy.high = {std::llround(mj * 1000 * (1 + width))};
  energy.evidence = Evidence::Measured;
  return energy;
}

DeviceBuilder::DeviceBuilder(std::string id) {
  facts_.id = std::move(id);
  facts_.board = "test-board";
  facts_.incarnation = 1;
  facts_.memory = mebibytes(1024);
}

DeviceBuilder& DeviceBuilder::processor(std::string id, ProcessorKind kind) {
  Processor made;
  made.id = std::move(id);
  made.kind = kind;
  made.runtime = "test runtime";
  facts_.processors.push_back(std::move(made));
  return *this;
}

DeviceBuilder& DeviceBuilder::window(int batches) {
  if (facts_.processors.empty()) {
    processor("cpu0");
  }
  facts_.processors.back().window_batches = batches;
  return *this;
}

DeviceBuilder& DeviceBuilder::batch_max(int tasks) {
  if (facts_.processors.empty()) {
    processor("cpu0");
  }
  facts_.processors.back().batch_max = tasks;
  return *this;
}

DeviceBuilder& DeviceBuilder::serves(const Variant& variant, Micros latency,
                                     std::optional<EnergyFigure> energy, Bytes memory) {
  if (facts_.processors.empty()) {
    processor("cpu0");
  }
  if (facts_.find_variant(variant.id) == nullptr) {
    facts_.variants.push_back(variant);
    std::sort(facts_.variants.begin(), facts_.variants.end(),
              [](const Variant& a, const Variant& b) { return a.id < b.id; });
  }
  Profile profile;
  profile.variant = variant.id;
  profile.memory = memory;
  profile.evidence = Evidence::Measured;
  profile.source = "test";
  profile.points.push_back(
      {.batch = 1, .latency_mean = latency, .latency_p95 = latency, .energy = energy});
  facts_.processors.back().profiles.push_back(std::move(profile));
  return *this;
}

DeviceBuilder& DeviceBuilder::point(int batch, Micros latency, std::optional<EnergyFigure> energy) {
  JUGGLER_CHECK(!facts_.processors.empty() && !facts_.processors.back().profiles.empty(),
                "a batch size belongs to a profile");
  facts_.processors.back().profiles.back().points.push_back(
      {.batch = batch, .latency_mean = latency, .latency_p95 = latency, .energy = energy});
  return *this;
}

DeviceBuilder& DeviceBuilder::incarnation(std::int64_t number) {
  facts_.incarnation = number;
  return *this;
}

DeviceBuilder& DeviceBuilder::to_board_input(std::int64_t permille) {
  facts_.to_board_input.factor_permille = permille;
  return *this;
}

DeviceBuilder& DeviceBuilder::idle(Milliwatts power) {
  facts_.idle = power;
  return *this;
}

DeviceBuilder& DeviceBuilder::power_max(Milliwatts power) {
  facts_.power_max = power;
  return *this;
}

DeviceBuilder& DeviceBuilder::battery_min(std::int64_t permille) {
  facts_.battery_permille_min = permille;
  return *this;
}

DeviceBuilder& DeviceBuilder::twin() {
  facts_.twin = true;
  return *this;
}

DeviceFacts DeviceBuilder::build() const {
  DeviceFacts facts = facts_;
  std::sort(facts.processors.begin(), facts.processors.end(),
            [](const Processor& a, const Processor& b) { return a.id < b.id; });
  for (Processor& processor : facts.processors) {
    std::sort(processor.profiles.begin(), processor.profiles.end(),
              [](const Profile& a, const Profile& b) { return a.variant < b.variant; });
  }
  return facts;
}

SubmissionBuilder::SubmissionBuilder(std::string id) {
  submission_.key = {"reply_to:replies", std::move(id)};
  submission_.reply_to = "replies";
  submission_.correlation_id = submission_.key.id;
  submission_.payload = {.size = {1000}, .kind = PayloadKind::Jpeg, .width = 8, .height = 8};
}

SubmissionBuilder& SubmissionBuilder::model(std::string name) {
  submission_.requirements.model = std::move(name);
  return *this;
}

SubmissionBuilder& SubmissionBuilder::min_accuracy(double percent) {
  submission_.requirements.min_accuracy = MilliPercent{std::llround(percent * 1000)};
  return *this;
}

SubmissionBuilder& SubmissionBuilder::deadline(Micros from_receipt) {
  submission_.requirements.deadline = from_receipt;
  return *this;
}

SubmissionBuilder& SubmissionBuilder::max_energy_mj(double mj) {
  submission_.requirements.max_energy = Microjoules{std::llround(mj * 1000)};
  return *this;
}

SubmissionBuilder& SubmissionBuilder::priority(int priority) {
  submission_.requirements.priority = priority;
  return *this;
}

SubmissionBuilder& SubmissionBuilder::top_k(int labels) {
  submission_.requirements.top_k = labels;
  return *this;
}

SubmissionBuilder& SubmissionBuilder::allow_synthetic() {
  submission_.requirements.allow_synthetic = true;
  return *this;
}

SubmissionBuilder& SubmissionBuilder::submitter(std::string name) {
  submission_.key.submitter = std::move(name);
  return *this;
}

SubmissionBuilder& SubmissionBuilder::reply_to(std::string queue) {
  submission_.reply_to = std::move(queue);
  return *this;
}

SubmissionBuilder& SubmissionBuilder::correlation(std::string id) {
  submission_.correlation_id = std::move(id);
  return *this;
}

SubmissionBuilder& SubmissionBuilder::payload(PayloadKind kind, Bytes size) {
  submission_.payload.kind = kind;
  submission_.payload.size = size;
  return *this;
}

SubmissionBuilder& SubmissionBuilder::redelivered() {
  submission_.redelivered = true;
  return *this;
}

std::string name_of(const Fleet& fleet, const Candidate& candidate) {
  const DeviceFacts& facts = *fleet.devices()[candidate.device].facts;
  return facts.id + "/" + facts.processors[candidate.lane].profiles[candidate.profile].variant;
}

Fleet fleet_of(std::vector<DeviceFacts> devices) {
  Fleet fleet;
  for (DeviceFacts& facts : devices) {
    DeviceState& state = fleet.at_or_insert(facts.id);
    for (const Processor& processor : facts.processors) {
      Lane lane;
      lane.costs = std::make_shared<const LaneCosts>(costs_of(facts, processor));
      lane.learned = std::make_shared<const LaneLearned>(processor.profiles.size());
      lane.price.set_scale(*lane.costs);
      state.lanes.push_back(std::move(lane));
    }
    state.facts = std::make_shared<const DeviceFacts>(std::move(facts));
  }
  return fleet;
}

AttemptResult result_of(const Dispatch& dispatch, AttemptStatus status, std::string reason) {
  AttemptResult result;
  result.attempt = dispatch.attempt;
  result.device = dispatch.device;
  result.processor = dispatch.processor;
  result.variant = dispatch.variant;
  result.status = status;
  result.reason = std::move(reason);
  result.compute = milliseconds(5);
  result.stamp = dispatch.stamp;
  if (status == AttemptStatus::Ok) {
    result.labels.push_back({.index = 281, .name = "tabby", .score = 0.75});
  }
  return result;
}

Outcome outcome_of(const std::string& id, OutcomeKind kind, std::string reason) {
  Outcome outcome;
  outcome.key = {"reply_to:replies", id};
  outcome.kind = kind;
  outcome.reason = std::move(reason);
  return outcome;
}

}  // namespace juggler::test
