// The keeper's answer as tables for people.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "apps/json_fields.h"
#include "apps/quantities.h"
#include "apps/query_tables.h"

namespace juggler {
namespace {

using nlohmann::json;
using Fit = Column::Fit;

std::string joined(const json& list) {
  std::vector<std::string> words;
  for (const json& word : list) {
    if (word.is_string()) {
      words.push_back(word.get<std::string>());
    }
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string rollout_text(const json& rollout) {
  std::string text = fmt::format("{} to {}: {}, {} device{} so far", text_of(rollout, "variant"),
                                 text_of(rollout, "where"), text_of(rollout, "state"),
                                 list_of(rollout, "reached").size(),
                                 list_of(rollout, "reached").size() == 1 ? "" : "s");
  const std::string reason = text_of(rollout, "reason");
  return text + (reason.empty() ? "" : ": " + reason) + ".";
}

}  // namespace

std::string notes_line(const json& device) {
  std::string line;
  const auto labels = device.find("labels");
  if (labels != device.end() && labels->is_object()) {
    for (const auto& [key, value] : labels->items()) {
      line += (line.empty() ? "" : ", ") + key + "=" +
              (value.is_string() ? value.get<std::string>() : std::string("?"));
    }
  }
  const std::string groups = joined(list_of(device, "groups"));
  if (!groups.empty()) {
    line += (line.empty() ? "in " : "; in ") + groups;
  }
  return line;
}

std::string fleet_models_text(const json& fleet, const Screen& screen) {
  std::map<std::string, int> holders;
  bool told = true;  // of a large fleet it is not
  std::string problems;
  for (const json& device : list_of(fleet, "devices")) {
    const auto models = device.find("models");
    if (models == device.end() || !models->is_object()) {
      continue;
    }
    told = told && models->contains("held");
    for (const json& held : list_of(*models, "held")) {
      holders[held.is_string() ? held.get<std::string>() : ""] += 1;
    }
    for (const json& problem : list_of(*models, "problems")) {
      const std::string variant = text_of(problem, "variant");
      problems += paragraph(
          fmt::format("{}{}{}: {}", text_of(device, "id"), variant.empty() ? "" : " without ",
                      variant, text_of(problem, "problem")),
          screen);
    }
  }
  Table table({{.title = "variant", .fit = Fit::Id, .least = 20},
               {.title = "model"},
               {.title = "file", .right = true},
               {.title = "fetched by", .right = true},
               {.title = "SHA-256", .fit = Fit::Cut, .least = 12, .leave_out = 1}});
  for (const json& model : list_of(fleet, "models")) {
    const auto size = integer_of(model, "size_bytes");
    table.row({text_of(model, "id"), text_of(model, "model"),
               size.has_value() ? show(Bytes{*size}) : "-",
               told ? fmt::format("{}", holders[text_of(model, "id")]) : "-",
               text_of(model, "sha256").substr(0, 16)});
  }
  if (table.empty()) {
    return "Nothing is handed out: juggler models add FILE, or make models\n";
  }
  std::string text = table.text(screen);
  for (const json& want : list_of(fleet, "wants")) {
    const std::string models = joined(list_of(want, "models"));
    text += paragraph(fmt::format("Wanted at {}: {}.", text_of(want, "where"),
                                  models.empty() ? "nothing" : models),
                      screen);
  }
  if (list_of(fleet, "wants").empty()) {
    text += paragraph("Wanted everywhere: every variant with trained weights.", screen);
  }
  for (const json& rollout : list_of(fleet, "rollouts")) {
    text += paragraph(rollout_text(rollout), screen);
  }
  return text + problems;
}

}  // namespace juggler
