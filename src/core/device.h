#pragma once
// What a device says of itself when it joins: board, processors, variants and their profiles.
// These facts are immutable once received; a new hello replaces them whole.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/evidence.h"
#include "core/model.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

enum class ProcessorKind { Cpu, Gpu, Dla };

// What one batch size of a variant costs on a processor.
struct ProfilePoint {
  int batch = 1;
  Micros latency_mean;
  Micros latency_p95;
  std::optional<EnergyFigure> energy;  // above idle, for the whole batch; absent if unknown

  friend bool operator==(const ProfilePoint&, const ProfilePoint&) = default;
};

// What a variant costs on a processor, by batch size in ascending order (at least batch 1).
struct Profile {
  std::string variant;  // Variant::id
  std::vector<ProfilePoint> points;
  Bytes memory;  // needed while loaded
  Micros load;   // time to load it cold
  Evidence evidence = Evidence::Assumed;
  std::string source;  // citation, or machine and date of the measurement

  friend bool operator==(const Profile&, const Profile&) = default;
};

// How much longer a batch takes on a processor while another one of its device computes: they share
// memory, a bus, power or cores. One number for each pair, whatever the variants.
struct Slowdown {
  std::string by;                // the other processor
  std::int64_t permille = 1000;  // of the time alone

  friend bool operator==(const Slowdown&, const Slowdown&) = default;
};

// The unit that is scheduled.
struct Processor {
  std::string id;  // "cpu0", "gpu0", "dla1"
  ProcessorKind kind = ProcessorKind::Cpu;
  std::string runtime;            // e.g. "ONNX Runtime 1.30.0, CPU, 2 threads"
  int window_batches = 2;         // batches on the device at once: one runs while the next waits
  int batch_max = 1;              // tasks per batch at most
  std::vector<Profile> profiles;  // sorted by variant id
  std::vector<std::string>
      loaded;  // of these variants, what was there as the device joined; sorted
  std::vector<Slowdown>
      slowed_by{};  // as measured, sorted by the other's id; by others: not at all

  friend bool operator==(const Processor&, const Processor&) = default;
};

// How to express this board's energies at one common scope, the board's input, when devices are
// compared. For decisions only; reports keep the measured figure and scope.
struct ScopeConversion {
  std::int64_t factor_permille = 1000;
  std::optional<PowerScope> from{};  // of the figures that it is for; absent: an older device

  friend bool operator==(const ScopeConversion&, const ScopeConversion&) = default;
};

// An energy at the board's input. Nothing where the conversion is for figures of another scope:
// joules of two meters are never compared as they stand.
std::optional<EnergyFigure> at_board_input(const std::optional<EnergyFigure>& energy,
                                           const ScopeConversion& conversion);

struct DeviceFacts {
  std::string id;
  std::string board;  // e.g. "jetson-orin-nano", "x86-64"
  std::string title;
  bool twin = false;             // takes its times and power from a profile
  std::int64_t incarnation = 0;  // grows with each start of the consumer
  bool serving = true;           // consumed its queues as it said this
  Bytes memory;                  // usable for inference
  std::optional<Milliwatts> idle;
  ScopeConversion to_board_input;
  std::optional<Milliwatts> power_max;  // of the whole board, at its input
  // Of its battery: with less, and nothing that charges it, it takes no work. 0: whatever is left.
  std::int64_t battery_permille_min = 0;
  std::vector<Variant> variants;      // sorted by id
  std::vector<Processor> processors;  // sorted by id

  const Variant* find_variant(std::string_view variant) const;
  friend bool operator==(const DeviceFacts&, const DeviceFacts&) = default;
};

// Takes out what is said of processors that are not among these: of a board whose profile is known,
// a part may be used.
void drop_absent_slowdowns(std::vector<Processor>& processors);

// Bounds on what one device may announce, so that no message makes the controller grow.
inline constexpr std::size_t kVariantsMax = 256;
inline constexpr std::size_t kProcessorsMax = 32;
inline constexpr std::size_t kProfilePointsMax = 16;
// Of a slowdown, in permille: what took less time beside another than alone was measured badly.
inline constexpr std::int64_t kSlowdownMin = 1000;
inline constexpr std::int64_t kSlowdownMax = 10'000;

// Batches of one processor in flight at most. On a long way more of them are between controller and
// device than its window holds, or the processor would stand still.
inline constexpr int kInFlightBatchesMax = 64;
// Dispatches to one device in flight at most: what it has to take from its queue without answering.
int dispatches_max(const DeviceFacts& facts);

// Checks ids, order, bounds and the sanity of every figure of a hello.
Result<void> validate(const DeviceFacts& facts);

// Device ids are routing keys and queue names: `[a-z0-9-]{1,63}`. A dot would break routing keys
// and topic permissions.
inline constexpr std::size_t kDeviceIdMax = 63;
bool valid_device_id(std::string_view id);

std::string_view to_string(ProcessorKind kind);
std::optional<ProcessorKind> parse_processor_kind(std::string_view name);

}  // namespace juggler
