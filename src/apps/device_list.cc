#include "apps/device_list.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "apps/json_fields.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kSorts{"id", "state", "board", "heard", "done", "load"};

bool has_label(const json& device, const std::string& wanted) {
  const auto labels = device.find("labels");
  if (labels == device.end() || !labels->is_object()) {
    return false;
  }
  const std::size_t equals = wanted.find('=');
  const std::string key = wanted.substr(0, equals);
  return labels->contains(key) && (equals == std::string::npos ||
                                   text_of(*labels, key.c_str()) == wanted.substr(equals + 1));
}

bool in_group(const json& device, const std::string& group) {
  const json& groups = list_of(device, "groups");
  return std::find(groups.begin(), groups.end(), json(group)) != groups.end();
}

bool chosen(const json& device, const DeviceChoice& choice) {
  return (choice.state.empty() || text_of(device, "state") == choice.state) &&
         (choice.board.empty() || text_of(device, "board") == choice.board) &&
         std::all_of(choice.labels.begin(), choice.labels.end(),
                     [&](const std::string& label) { return has_label(device, label); }) &&
         std::all_of(choice.groups.begin(), choice.groups.end(),
                     [&](const std::string& group) { return in_group(device, group); });
}

std::int64_t sum_of(const json& device, const char* key) {
  std::int64_t sum = 0;
  for (const json& processor : list_of(device, "processors")) {
    sum += integer_of(processor, key).value_or(0);
  }
  return sum;
}

// Text and number by which a device is sorted; its id breaks ties.
std::tuple<std::string, std::int64_t, std::string> sort_key(const json& device,
                                                            const std::string& sort) {
  const std::string id = text_of(device, "id");
  if (sort == "state" || sort == "board") {
    return {text_of(device, sort.c_str()), 0, id};
  }
  if (sort == "heard") {
    return {"", integer_of(device, "heard_us_ago").value_or(INT64_MAX), id};
  }
  if (sort == "done") {
    return {"", -sum_of(device, "completed"), id};
  }
  if (sort == "load") {
    return {"", -(sum_of(device, "in_flight") + sum_of(device, "waiting")), id};
  }
  return {"", 0, id};
}

}  // namespace

bool is_device_sort(const std::string& name) {
  return std::find(kSorts.begin(), kSorts.end(), name) != kSorts.end();
}

void add_notes(json& answer, const json& fleet) {
  std::map<std::string, const json*> notes;
  for (const json& note : list_of(fleet, "devices")) {
    notes[text_of(note, "id")] = &note;
  }
  const auto devices = answer.find("devices");
  if (devices == answer.end() || !devices->is_array()) {
    return;
  }
  for (json& device : *devices) {
    const auto note = notes.find(text_of(device, "id"));
    if (note == notes.end()) {
      continue;
    }
    for (const char* key : {"labels", "groups", "models"}) {
      if (const auto value = note->second->find(key); value != note->second->end()) {
        device[key] = *value;
      }
    }
  }
}

void choose_devices(json& answer, const DeviceChoice& choice) {
  json kept = json::array();
  for (const json& device : list_of(answer, "devices")) {
    if (chosen(device, choice)) {
      kept.push_back(device);
    }
  }
  std::sort(kept.begin(), kept.end(), [&](const json& a, const json& b) {
    return sort_key(a, choice.sort) < sort_key(b, choice.sort);
  });
  answer["devices"] = std::move(kept);
}

}  // namespace juggler
