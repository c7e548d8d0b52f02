#include "core/task.h"

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<PayloadKind>, 5> kPayloadKinds{
    {{PayloadKind::Jpeg, "jpeg"},
     {PayloadKind::Png, "png"},
     {PayloadKind::RawRgb, "raw-rgb"},
     {PayloadKind::FloatTensor, "float-tensor"},
     {PayloadKind::Opaque, "opaque"}}};
constexpr std::array<Named<AttemptStatus>, 5> kStatuses{{{AttemptStatus::Ok, "ok"},
                                                         {AttemptStatus::Error, "error"},
                                                         {AttemptStatus::BadPayload, "bad-payload"},
                                                         {AttemptStatus::Expired, "expired"},
                                                         {AttemptStatus::Refused, "refused"}}};
constexpr std::array<Named<OutcomeKind>, 4> kOutcomes{{{OutcomeKind::Completed, "completed"},
                                                       {OutcomeKind::Rejected, "rejected"},
                                                       {OutcomeKind::Expired, "expired"},
                                                       {OutcomeKind::Failed, "failed"}}};

}  // namespace

std::string_view sharer_of(const TaskKey& key) {
  const std::string_view submitter = key.submitter;
  return submitter.starts_with("user:") ? submitter : std::string_view("who names no user");
}

std::string_view to_string(PayloadKind kind) { return name_of(kPayloadKinds, kind); }
std::string_view to_string(AttemptStatus status) { return name_of(kStatuses, status); }
std::string_view to_string(OutcomeKind kind) { return name_of(kOutcomes, kind); }
std::optional<PayloadKind> parse_payload_kind(std::string_view name) {
  return value_of(kPayloadKinds, name);
}
std::optional<AttemptStatus> parse_attempt_status(std::string_view name) {
  return value_of(kStatuses, name);
}
std::optional<OutcomeKind> parse_outcome_kind(std::string_view name) {
  return value_of(kOutcomes, name);
}

}  // namespace juggler
