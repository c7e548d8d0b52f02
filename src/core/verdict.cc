#include "core/verdict.h"

#include <array>

#include "core/check.h"

namespace juggler {
namespace {

struct VerdictText {
  Verdict verdict;
  bool temporary;
  std::string_view name;
  std::string_view text;
};

constexpr std::array<VerdictText, 25> kVerdicts{{
    {Verdict::Meets, true, "meets", "meets every requirement now"},
    {Verdict::WindowFull, true, "window-full",
     "its window is full; it would be in time after that"},
    {Verdict::QueueTooLong, true, "queue-too-long", "what is before it takes too long"},
    {Verdict::TooDear, true, "too-dear", "its time is worth more to other tasks"},
    {Verdict::OtherDevice, false, "other-device", "the task names another device"},
    {Verdict::OtherModel, false, "other-model", "does not answer this model"},
    {Verdict::SyntheticOnly, false, "synthetic-weights",
     "synthetic weights, and the task did not ask for them"},
    {Verdict::PayloadUnfit, false, "payload-unfit", "cannot take this kind of payload"},
    {Verdict::BelowAccuracy, false, "below-accuracy", "accuracy is below the task's floor"},
    {Verdict::EnergyOver, false, "energy-over", "may take more energy than the task allows"},
    {Verdict::EnergyUnknown, false, "energy-unknown",
     "its energy is unknown and the task limits energy"},
    {Verdict::TooSlow, false, "too-slow",
     "too little time is left until the deadline, even when idle"},
    {Verdict::OverPower, false, "over-power",
     "would break the watt limit even if nothing else ran"},
    {Verdict::PowerUnknown, false, "power-unknown",
     "its power is unknown and there is a watt limit"},
    {Verdict::MemoryShort, true, "memory-short", "does not fit into the memory that is free"},
    {Verdict::PowerShort, true, "power-short", "what runs leaves too little of the watt limit"},
    {Verdict::LaneStopped, true, "lane-stopped",
     "it failed on this processor: it is tried again there after a pause"},
    {Verdict::AlreadyTried, false, "already-tried", "an attempt has failed on this device"},
    {Verdict::DeviceJoining, true, "device-joining", "the device's queues are not there yet"},
    {Verdict::DeviceSuspect, true, "device-suspect", "nothing reaches the device, or it is silent"},
    {Verdict::DeviceLost, true, "device-lost", "the device is lost"},
    {Verdict::DeviceGone, false, "device-gone", "the device was lost and did not come back"},
    {Verdict::DeviceDraining, false, "device-draining", "the device is leaving"},
    {Verdict::DeviceAside, true, "device-aside",
     "the device has failed again and again: it is tried again after a pause"},
    {Verdict::BatteryLow, true, "battery-low",
     "the device runs on its battery, which is below what it keeps"},
}};

const VerdictText& text_of(Verdict verdict) {
  for (const VerdictText& entry : kVerdicts) {
    if (entry.verdict == verdict) {
      return entry;
    }
  }
  JUGGLER_CHECK(false, "every verdict has its text");
  return kVerdicts[0];
}

}  // namespace

std::string_view to_string(Verdict verdict) { return text_of(verdict).name; }
std::string_view describe(Verdict verdict) { return text_of(verdict).text; }
bool is_temporary(Verdict verdict) { return text_of(verdict).temporary; }
bool is_overload(Verdict verdict) {
  return verdict == Verdict::QueueTooLong || verdict == Verdict::TooDear;
}

}  // namespace juggler
