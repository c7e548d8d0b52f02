#include "apps/fleet_apply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace juggler {
namespace {

std::string labels_text(const DeviceNote& note) {
  std::string text;
  for (const auto& [key, value] : note.labels) {
    text += (text.empty() ? "" : ", ") + key + "=" + value;
  }
  return text.empty() ? "none" : text;
}

std::string groups_text(const DeviceNote& note) {
  return note.groups.empty() ? "none" : fmt::format("{}", fmt::join(note.groups, ", "));
}

std::string want_text(const Want& want) {
  return fmt::format(
      "{}: {}", to_string(want.where),
      want.models.empty() ? "nothing" : fmt::format("{}", fmt::join(want.models, ", ")));
}

}  // namespace

std::vector<std::string> apply_to(FleetRecord& record, const FleetFile& file) {
  std::vector<std::string> changes;
  for (const FleetFile::Device& device : file.devices) {
    const DeviceNote* known = record.note_of(device.note.device);
    const DeviceNote before = known != nullptr ? *known : DeviceNote{device.note.device, {}, {}};
    if (before.labels != device.note.labels) {
      changes.push_back(fmt::format("{}: labels {} (were {})", before.device,
                                    labels_text(device.note), labels_text(before)));
    }
    if (before.groups != device.note.groups) {
      changes.push_back(fmt::format("{}: groups {} (were {})", before.device,
                                    groups_text(device.note), groups_text(before)));
    }
    if (before != device.note) {
      record.note_for(device.note.device) = device.note;
    }
  }
  if (file.says_wants && record.wants != file.wants) {
    for (const Want& want : file.wants) {
      changes.push_back("wanted at " + want_text(want));
    }
    for (const Want& want : record.wants) {
      if (std::find(file.wants.begin(), file.wants.end(), want) == file.wants.end()) {
        changes.push_back("no longer wanted at " + want_text(want));
      }
    }
    record.wants = file.wants;
  }
  record.tidy();
  return changes;
}

}  // namespace juggler
