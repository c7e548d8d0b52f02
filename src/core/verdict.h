#pragma once
// Why a candidate can or cannot take a task.

#include <string_view>

namespace juggler {

// In the order of the checks: the first that fails.
enum class Verdict {
  Meets,           // could take it now and is predicted to meet every requirement
  WindowFull,      // would meet every requirement, after what is before it
  QueueTooLong,    // not now: what is before it takes too long for the deadline
  TooDear,         // not now: the processor's time is worth more to others than the task is
  OtherDevice,     // never: the task names another device
  OtherModel,      // never: the variant does not answer this model
  SyntheticOnly,   // never: its weights are synthetic and the task did not ask for such
  PayloadUnfit,    // never: the variant cannot take this kind of payload
  BelowAccuracy,   // never: below the task's floor
  EnergyOver,      // never: the upper end of its energy interval is over the task's limit
  EnergyUnknown,   // never: the task has a limit and nobody knows this energy
  TooSlow,         // never: even an idle processor would miss the deadline
  OverPower,       // never: it would break a watt limit even if nothing else ran
  PowerUnknown,    // never: there is a watt limit and nobody knows what it takes
  MemoryShort,     // not now: it does not fit into what is free
  PowerShort,      // not now: what runs leaves it too little of a watt limit
  LaneStopped,     // not now: it failed on this processor, which pauses with it
  AlreadyTried,    // never: an attempt of this task has failed on this device
  DeviceJoining,   // not now
  DeviceSuspect,   // not now
  DeviceLost,      // not now
  DeviceGone,      // never, as far as we know
  DeviceDraining,  // never, as far as we know
  DeviceAside,     // not now
  BatteryLow,      // not now: the device keeps what its battery has left
};

std::string_view to_string(Verdict verdict);  // stable, for programs: "below-accuracy"
std::string_view describe(Verdict verdict);   // for people
bool is_temporary(Verdict verdict);           // may become Meets by waiting
bool is_overload(Verdict verdict);            // not now, because others have the processor

}  // namespace juggler
