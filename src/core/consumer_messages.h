#pragma once
// What a consumer is told (events) and what it wants done (actions).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/controller_messages.h"
#include "core/handles.h"
#include "core/host_sample.h"
#include "core/shared.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

// What an engine made of one task of a batch.
struct EngineOutput {
  AttemptStatus status = AttemptStatus::Error;
  std::string reason;  // for all but Ok
  std::vector<Label> labels;
  bool synthetic_labels = false;
};

struct BatchReport {
  std::vector<EngineOutput> outputs;   // one per input, in order
  Micros compute;                      // decode, preprocess and run
  std::optional<EnergyFigure> energy;  // of the whole batch, above idle; absent if unknown
};

struct LinkUp {};
struct LinkDown {};
struct DispatchArrived {
  Dispatch dispatch;
  DeliveryId delivery;
  bool redelivered = false;
};
struct BatchFinished {
  std::uint64_t batch = 0;
  BatchReport report;
};
struct HelloAsked {};
struct HostSampled {
  HostSample sample;
};
// Finish what is here, take nothing new, then leave.
struct DrainAsked {};
struct BeatAsked {
  Micros every;  // from one heartbeat to the next
};

using ConsumerEvent = std::variant<LinkUp, LinkDown, DispatchArrived, BatchFinished, HelloAsked,
                                   HostSampled, DrainAsked, PublishSettled, Tick, BeatAsked>;

struct BatchItem {
  PayloadRef payload;
  int top_k = 5;
};
struct StartBatch {
  std::uint64_t batch = 0;
  std::string processor;
  std::string variant;
  std::vector<BatchItem> items;
};
struct SendResult {
  PublishId id = 0;
  Shared<AttemptResult> result;
};
struct SendHello {};
struct SendHeartbeat {
  Heartbeat heartbeat;
};
struct Left {};  // drained: everything is confirmed, the program may end

using ConsumerAction =
    std::variant<StartBatch, SendResult, SendHello, SendHeartbeat, AckDelivery, DropPayload, Left>;

}  // namespace juggler
