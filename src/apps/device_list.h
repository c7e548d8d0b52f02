#pragma once
// `juggler devices`: the controller's answer with what the keeper knows of each device, chosen and
// sorted as was asked for.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/result.h"

namespace juggler {

struct DeviceChoice {
  std::vector<std::string> labels = {};  // KEY=VALUE, or KEY for any value; all must hold
  std::vector<std::string> groups = {};  // in all of them
  std::string state = {};                // live, suspect, lost, …
  std::string board = {};
  std::string sort = "id";  // id, state, board, heard, done, load

  bool needs_keeper() const { return !labels.empty() || !groups.empty(); }
};

inline constexpr const char* kDeviceSorts = "id, state, board, heard, done, load";
bool is_device_sort(const std::string& name);

// Puts `labels` and `groups` of the keeper's answer into the devices of the controller's.
void add_notes(nlohmann::json& devices, const nlohmann::json& fleet);
// Leaves out the devices that are not meant, and sorts the others.
void choose_devices(nlohmann::json& devices, const DeviceChoice& choice);

}  // namespace juggler
