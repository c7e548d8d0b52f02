#pragma once
// What people decide about a fleet: labels and groups of devices, which models are wanted where,
// and the rollouts of variants. A value and the rules over it; where it is kept:
// amqp/record_store.h.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

// Bounds on a record, so that it stays one message.
inline constexpr std::size_t kNotesMax = 10'000;  // devices with labels or groups
inline constexpr std::size_t kLabelsPerDeviceMax = 32;
inline constexpr std::size_t kGroupsPerDeviceMax = 32;
inline constexpr std::size_t kWantsMax = 256;
inline constexpr std::size_t kWantedModelsMax = 256;
inline constexpr std::size_t kRolloutsMax = 64;
inline constexpr std::size_t kRecordWordMax = 63;  // of a label's key, its value, a group's name

// What is known of a device that it does not say itself.
struct DeviceNote {
  std::string device;
  std::map<std::string, std::string> labels;
  std::set<std::string> groups;

  bool empty() const { return labels.empty() && groups.empty(); }
  friend bool operator==(const DeviceNote&, const DeviceNote&) = default;
};

// Which devices are meant: `all`, `device:pi5`, `group:roof`, `label:site=roof`.
struct Selector {
  enum class Kind { All, Label, Group, Device };  // from the least to the most specific
  Kind kind = Kind::All;
  std::string name;   // of the device, the group or the label
  std::string value;  // of the label

  friend bool operator==(const Selector&, const Selector&) = default;
};

// errors  InvalidArgument, with what would have been right
Result<Selector> parse_selector(std::string_view text);
std::string to_string(const Selector& selector);

// Models, networks or variants that these devices are to hold.
struct Want {
  Selector where;
  std::vector<std::string> models;

  friend bool operator==(const Want&, const Want&) = default;
};

enum class RolloutState { Rolling, Done, RolledBack };

std::string_view to_string(RolloutState state);
std::optional<RolloutState> parse_rollout_state(std::string_view name);

// A variant on its way to a group of devices, one after the other.
struct Rollout {
  std::string variant;
  Selector where;
  RolloutState state = RolloutState::Rolling;
  std::string reason;                // why it was rolled back
  std::vector<std::string> reached;  // devices, in the order in which they got it
  Micros watch = seconds(60);        // after each of them
  std::int64_t errors_permille_max = 100;
  std::int64_t slower_percent_max = 200;  // of what the device measured itself
  std::optional<Micros> latency_max;      // for one picture, whatever was measured
  std::int64_t began_unix_s = 0;

  friend bool operator==(const Rollout&, const Rollout&) = default;
};

struct FleetRecord {
  std::int64_t revision = 0;        // the highest one counts
  std::vector<DeviceNote> devices;  // sorted by device; none is empty
  std::vector<Want> wants;
  std::vector<Rollout> rollouts;  // one of a variant at most

  const DeviceNote* note_of(std::string_view device) const;
  // To be changed; tidy() puts everything in order afterwards.
  DeviceNote& note_for(std::string_view device);
  const Rollout* rollout_of(std::string_view variant) const;
  Rollout* rollout_of(std::string_view variant);
  // Sorts, and drops notes that say nothing.
  void tidy();

  friend bool operator==(const FleetRecord&, const FleetRecord&) = default;
};

bool matches(const Selector& selector, std::string_view device, const DeviceNote* note);

// Bounds, names and order. errors  the first thing that is wrong
Result<void> validate(const FleetRecord& record);

// A key or value of a label, a group: letters, digits and `-_.`, at most 63.
bool valid_record_word(std::string_view word);

// The ids of the variants that `device` is to hold, sorted. The most specific wants that match
// count (those of the device, else of its groups, else of its labels, else of all); without any,
// every variant with trained weights. A variant with a rollout goes where the rollout has come to.
std::vector<std::string> wanted_variants(const FleetRecord& record, std::string_view device,
                                         std::span<const Variant> catalogue);

}  // namespace juggler
