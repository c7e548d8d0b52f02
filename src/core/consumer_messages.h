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

// What a failed batch says of its processor's engine.
enum class EngineFailure {
  None,         // nothing: another batch may succeed
  OutOfMemory,  // the variant has no room there
  Crashed,      // the provider or the worker is gone, or cannot load the variant
};

struct BatchReport {
  std::vector<EngineOutput> outputs;   // one per input, in order
  Micros compute;                      // decode, preprocess and run
  std::optional<EnergyFigure> energy;  // of the whole batch, above idle; absent if unknown
  EngineFailure failure = EngineFailure::None;
};

struct LinkUp {};
struct LinkDown {};
// Whether this device consumes its queues. They are made for it once it has said hello, and may be
// deleted under it; after LinkUp it serves when this says so.
struct ServingChanged {
  bool serving = false;
};
struct DispatchArrived {
  Dispatch dispatch;
  DeliveryId delivery;
  bool redelivered = false;
};
struct BatchFinished {
  std::uint64_t batch = 0;
  BatchReport report;
};
// An engine has given up a loaded variant, for want of memory.
struct VariantUnloaded {
  std::string processor;
  std::string variant;
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

using ConsumerEvent =
    std::variant<LinkUp, LinkDown, DispatchArrived, BatchFinished, HelloAsked, HostSampled,
                 DrainAsked, PublishSettled, Tick, BeatAsked, VariantUnloaded, ServingChanged>;

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
