#include "core/fleet_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/device.h"
#include "core/names.h"
#include "core/task.h"

namespace juggler {
namespace {

constexpr std::array<Named<RolloutState>, 3> kStates{{{RolloutState::Rolling, "rolling"},
                                                      {RolloutState::Done, "done"},
                                                      {RolloutState::RolledBack, "rolled-back"}}};
constexpr std::size_t kReasonMax = 1'024;

Error bad_selector(std::string_view text) {
  return fail(ErrorCode::InvalidArgument,
              fmt::format("'{}' names no devices: write all, device:NAME, group:NAME or "
                          "label:KEY=VALUE",
                          text));
}

Result<void> check(bool holds, const std::string& complaint) {
  return holds ? Result<void>() : fail(ErrorCode::InvalidArgument, complaint);
}

Result<void> validate(const DeviceNote& note) {
  if (!valid_device_id(note.device)) {
    return fail(ErrorCode::InvalidArgument, "'" + note.device + "' is no device's name");
  }
  const bool words =
      std::all_of(note.labels.begin(), note.labels.end(),
                  [](const auto& label) {
                    return valid_record_word(label.first) && valid_record_word(label.second);
                  }) &&
      std::all_of(note.groups.begin(), note.groups.end(), valid_record_word);
  if (!words) {
    return fail(ErrorCode::InvalidArgument,
                note.device +
                    ": a label's key and value and a group's name are 1 to 63 letters, "
                    "digits and '-', '_', '.'");
  }
  return check(
      note.labels.size() <= kLabelsPerDeviceMax && note.groups.size() <= kGroupsPerDeviceMax,
      fmt::format("{}: more than {} labels or {} groups", note.device, kLabelsPerDeviceMax,
                  kGroupsPerDeviceMax));
}

Result<void> validate(const Selector& selector) {
  const Result<Selector> again = parse_selector(to_string(selector));
  return again && *again == selector ? Result<void>() : bad_selector(to_string(selector));
}

Result<void> validate(const Want& want) {
  if (Result<void> where = validate(want.where); !where) {
    return where;
  }
  const bool names = std::all_of(want.models.begin(), want.models.end(), [](const auto& name) {
    return !name.empty() && name.size() <= kModelNameMax;
  });
  return check(names && want.models.size() <= kWantedModelsMax,
               "a want has at most 256 models, each of 1 to 128 bytes");
}

Result<void> validate(const Rollout& rollout) {
  if (Result<void> where = validate(rollout.where); !where) {
    return where;
  }
  if (rollout.variant.empty() || rollout.variant.size() > kModelNameMax) {
    return fail(ErrorCode::InvalidArgument, "a rollout names its variant in 1 to 128 bytes");
  }
  const bool ids = std::all_of(rollout.reached.begin(), rollout.reached.end(),
                               [](const std::string& id) { return valid_device_id(id); });
  return check(ids && rollout.reached.size() <= kNotesMax && rollout.reason.size() <= kReasonMax,
               "the rollout of " + rollout.variant + " has reached what is no device");
}

// Whether a rollout gives its variant to this device; nothing where it says nothing about it.
bool given_by(const Rollout& rollout, std::string_view device, const DeviceNote* note) {
  if (rollout.state == RolloutState::RolledBack) {
    return false;
  }
  const bool reached =
      std::find(rollout.reached.begin(), rollout.reached.end(), device) != rollout.reached.end();
  return reached || (rollout.state == RolloutState::Done && matches(rollout.where, device, note));
}

// The wants that count for a device: the most specific that match.
std::vector<const Want*> wants_of(const FleetRecord& record, std::string_view device,
                                  const DeviceNote* note) {
  std::vector<const Want*> found;
  for (const Want& want : record.wants) {
    if (!matches(want.where, device, note)) {
      continue;
    }
    if (!found.empty() && found.front()->where.kind < want.where.kind) {
      found.clear();
    }
    if (found.empty() || found.front()->where.kind == want.where.kind) {
      found.push_back(&want);
    }
  }
  return found;
}

bool wanted_by(const std::vector<const Want*>& wants, const Variant& variant) {
  const bool trained = variant.weights == Weights::Pretrained;
  if (wants.empty()) {
    return trained;
  }
  return std::any_of(wants.begin(), wants.end(), [&](const Want* want) {
    return std::any_of(want->models.begin(), want->models.end(), [&](const std::string& name) {
      return trained ? answers(variant, name) : names_directly(variant, name);
    });
  });
}

}  // namespace

std::string_view to_string(RolloutState state) { return name_of(kStates, state); }
std::optional<RolloutState> parse_rollout_state(std::string_view name) {
  return value_of(kStates, name);
}

Result<Selector> parse_selector(std::string_view text) {
  if (text == "all") {
    return Selector{};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return bad_selector(text);
  }
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  if (kind == "device" && valid_device_id(rest)) {
    return Selector{Selector::Kind::Device, std::string(rest), ""};
  }
  if (kind == "group" && valid_record_word(rest)) {
    return Selector{Selector::Kind::Group, std::string(rest), ""};
  }
  const std::size_t equals = rest.find('=');
  if (kind != "label" || equals == std::string_view::npos) {
    return bad_selector(text);
  }
  const std::string_view key = rest.substr(0, equals);
  const std::string_view value = rest.substr(equals + 1);
  if (!valid_record_word(key) || !valid_record_word(value)) {
    return bad_selector(text);
  }
  return Selector{Selector::Kind::Label, std::string(key), std::string(value)};
}

std::string to_string(const Selector& selector) {
  switch (selector.kind) {
    case Selector::Kind::Device:
      return "device:" + selector.name;
    case Selector::Kind::Group:
      return "group:" + selector.name;
    case Selector::Kind::Label:
      return "label:" + selector.name + "=" + selector.value;
    case Selector::Kind::All:
      break;
  }
  return "all";
}

const DeviceNote* FleetRecord::note_of(std::string_view device) const {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const DeviceNote& note) { return note.device == device; });
  return at != devices.end() ? &*at : nullptr;
}

DeviceNote& FleetRecord::note_for(std::string_view device) {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const DeviceNote& note) { return note.device == device; });
  return at != devices.end() ? *at : devices.emplace_back(DeviceNote{std::string(device), {}, {}});
}

const Rollout* FleetRecord::rollout_of(std::string_view variant) const {
  const auto at = std::find_if(rollouts.begin(), rollouts.end(),
                               [&](const Rollout& one) { return one.variant == variant; });
  return at != rollouts.end() ? &*at : nullptr;
}

Rollout* FleetRecord::rollout_of(std::string_view variant) {
  const auto at = std::find_if(rollouts.begin(), rollouts.end(),
                               [&](const Rollout& one) { return one.variant == variant; });
  return at != rollouts.end() ? &*at : nullptr;
}

void FleetRecord::tidy() {
  std::erase_if(devices, [](const DeviceNote& note) { return note.empty(); });
  std::sort(devices.begin(), devices.end(),
            [](const DeviceNote& a, const DeviceNote& b) { return a.device < b.device; });
}

bool matches(const Selector& selector, std::string_view device, const DeviceNote* note) {
  switch (selector.kind) {
    case Selector::Kind::All:
      return true;
    case Selector::Kind::Device:
      return selector.name == device;
    case Selector::Kind::Group:
      return note != nullptr && note->groups.contains(selector.name);
    case Selector::Kind::Label:
      break;
  }
  if (note == nullptr) {
    return false;
  }
  const auto label = note->labels.find(selector.name);
  return label != note->labels.end() && label->second == selector.value;
}

bool valid_record_word(std::string_view word) {
  return !word.empty() && word.size() <= kRecordWordMax &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

Result<void> validate(const FleetRecord& record) {
  if (record.devices.size() > kNotesMax || record.wants.size() > kWantsMax ||
      record.rollouts.size() > kRolloutsMax) {
    return fail(ErrorCode::TooLarge,
                fmt::format("a fleet's record has at most {} devices, {} wants and {} rollouts",
                            kNotesMax, kWantsMax, kRolloutsMax));
  }
  for (std::size_t i = 0; i < record.devices.size(); ++i) {
    if (Result<void> valid = validate(record.devices[i]); !valid) {
      return valid;
    }
    if (i > 0 && record.devices[i - 1].device >= record.devices[i].device) {
      return fail(ErrorCode::InvalidArgument,
                  "'" + record.devices[i].device + "' is there twice, or out of order");
    }
  }
  for (const Want& want : record.wants) {
    if (Result<void> valid = validate(want); !valid) {
      return valid;
    }
  }
  std::set<std::string_view> rolled;
  for (const Rollout& rollout : record.rollouts) {
    if (Result<void> valid = validate(rollout); !valid) {
      return valid;
    }
    if (!rolled.insert(rollout.variant).second) {
      return fail(ErrorCode::InvalidArgument, rollout.variant + " has two rollouts");
    }
  }
  return {};
}

std::vector<std::string> wanted_variants(const FleetRecord& record, std::string_view device,
                                         std::span<const Variant> catalogue) {
  const DeviceNote* note = record.note_of(device);
  const std::vector<const Want*> wants = wants_of(record, device, note);
  std::vector<std::string> wanted;
  for (const Variant& variant : catalogue) {
    const Rollout* rollout = record.rollout_of(variant.id);
    if (rollout != nullptr ? given_by(*rollout, device, note) : wanted_by(wants, variant)) {
      wanted.push_back(variant.id);
    }
  }
  std::sort(wanted.begin(), wanted.end());
  return wanted;
}

}  // namespace juggler
