#include "apps/fleet_json.h"

#include <nlohmann/json.hpp>

namespace juggler {
namespace {

using nlohmann::json;

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

json rollout_json(const Rollout& rollout) {
  json entry{{"variant", rollout.variant},
             {"where", to_string(rollout.where)},
             {"state", to_string(rollout.state)},
             {"reached", rollout.reached},
             {"began_unix_s", rollout.began_unix_s},
             {"watch_us", rollout.watch.count},
             {"errors_permille_max", rollout.errors_permille_max},
             {"slower_percent_max", rollout.slower_percent_max}};
  if (rollout.latency_max.has_value()) {
    entry["latency_us_max"] = rollout.latency_max->count;
  }
  if (!rollout.reason.empty()) {
    entry["reason"] = rollout.reason;
  }
  return entry;
}

// Beyond so many devices what each of them holds is left out: the answer must fit a message.
constexpr std::size_t kHeldDevicesMax = 1'000;

json report_json(const DeviceReport& report, bool with_held) {
  json problems = json::array();
  for (const wire::FetchProblem& problem : report.asked.problems) {
    problems.push_back({{"variant", problem.variant}, {"problem", problem.problem}});
  }
  json entry{{"version", report.asked.version},
             {"problems", std::move(problems)},
             {"asked_us_ago", report.ago.count}};
  if (with_held) {
    entry["held"] = report.asked.held;
  }
  return entry;
}

json model_json(const CatalogueVariant& entry) {
  return {{"id", entry.variant.id},
          {"network", entry.variant.network},
          {"model", entry.variant.model},
          {"sha256", entry.variant.sha256},
          {"size_bytes", entry.size.count}};
}

}  // namespace

std::string fleet_json(const FleetRecord& record, const Catalogue& catalogue,
                       const std::map<std::string, DeviceReport>& reports) {
  std::map<std::string, json> devices;
  for (const DeviceNote& note : record.devices) {
    devices[note.device] = {{"labels", note.labels}, {"groups", note.groups}};
  }
  for (const auto& [device, report] : reports) {
    devices[device]["models"] = report_json(report, reports.size() <= kHeldDevicesMax);
  }
  json document{{"revision", record.revision}};
  document["devices"] = json::array();
  for (auto& [id, entry] : devices) {
    entry["id"] = id;
    document["devices"].push_back(std::move(entry));
  }
  document["wants"] = json::array();
  for (const Want& want : record.wants) {
    document["wants"].push_back({{"where", to_string(want.where)}, {"models", want.models}});
  }
  document["rollouts"] = json::array();
  for (const Rollout& rollout : record.rollouts) {
    document["rollouts"].push_back(rollout_json(rollout));
  }
  document["models"] = json::array();
  for (const CatalogueVariant& entry : catalogue.variants()) {
    document["models"].push_back(model_json(entry));
  }
  return text_of(document);
}

std::string error_json(const std::string& problem) { return text_of({{"error", problem}}); }

}  // namespace juggler
