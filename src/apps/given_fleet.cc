#include "apps/given_fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/json_fields.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr Micros kAskMax = seconds(5);

DeviceFacts* find(std::vector<DeviceFacts>& devices, const std::string& id) {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const DeviceFacts& device) { return device.id == id; });
  return at != devices.end() ? &*at : nullptr;
}

Variant variant_of(const json& model) {
  Variant variant;
  variant.id = text_of(model, "id");
  variant.model = text_of(model, "model");
  variant.network = text_of(model, "network");
  variant.precision = text_of(model, "precision");
  variant.accuracy = {std::llround(number_of(model, "accuracy_percent").value_or(0.0) * 1000.0)};
  return variant;
}

std::vector<std::string> differences(const Scenario& scenario,
                                     const std::vector<DeviceFacts>& devices) {
  std::vector<std::string> words;
  for (const ScenarioDevice& wanted : scenario.devices) {
    const auto at = std::find_if(devices.begin(), devices.end(), [&](const DeviceFacts& device) {
      return device.id == wanted.announced.id;
    });
    if (at == devices.end()) {
      words.push_back(fmt::format("{} is not there", wanted.announced.id));
    } else if (at->board != wanted.announced.board) {
      words.push_back(fmt::format("{} is a {}, in the scenario a {}", at->id, at->board,
                                  wanted.announced.board));
    }
  }
  for (const DeviceFacts& device : devices) {
    const bool wanted =
        std::any_of(scenario.devices.begin(), scenario.devices.end(),
                    [&](const auto& other) { return other.announced.id == device.id; });
    if (!wanted) {
      words.push_back(fmt::format("{} ({}) is not in the scenario", device.id, device.board));
    }
  }
  return words;
}

}  // namespace

GivenFleet fleet_of_answers(const json& status, const json& devices, const json& models,
                            const Scenario& scenario) {
  GivenFleet fleet;
  fleet.policy = text_of(status, "policy");
  for (const json& entry : list_of(devices, "devices")) {
    if (text_of(entry, "state") == "live") {
      DeviceFacts facts;
      facts.id = text_of(entry, "id");
      facts.board = text_of(entry, "board");
      facts.twin = flag_of(entry, "twin");
      fleet.devices.push_back(std::move(facts));
    }
  }
  for (const json& model : list_of(models, "models")) {
    const Variant variant = variant_of(model);
    for (const json& placement : list_of(model, "placements")) {
      DeviceFacts* device = find(fleet.devices, text_of(placement, "device"));
      if (device == nullptr) {
        continue;
      }
      device->to_board_input.factor_permille =
          integer_of(placement, "to_board_input_permille").value_or(1000);
      if (device->find_variant(variant.id) == nullptr) {  // the models come sorted by id
        device->variants.push_back(variant);
      }
    }
  }
  fleet.differences = differences(scenario, fleet.devices);
  return fleet;
}

Result<GivenFleet> ask_for_fleet(Client& client, const Scenario& scenario) {
  json answers;
  for (const char* what : {"status", "devices", "models"}) {
    Result<json> answer = client.ask(what, "", kAskMax);
    if (!answer) {
      return answer.error();
    }
    answers[what] = std::move(*answer);
  }
  GivenFleet fleet =
      fleet_of_answers(answers["status"], answers["devices"], answers["models"], scenario);
  if (fleet.devices.empty()) {
    return fail(ErrorCode::Unavailable,
                "no device of this fleet is live: start consumers (see juggler devices)");
  }
  return fleet;
}

}  // namespace juggler
