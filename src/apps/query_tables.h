#pragma once
// A controller's answers as tables for people. Each reads the JSON that docs/protocol.md describes;
// a field that is missing shows as "-".

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/table.h"

namespace juggler {

std::string devices_text(const nlohmann::json& answer, const Screen& screen);
std::string models_text(const nlohmann::json& answer, const Screen& screen);
// The keeper's answer: what is handed out, and what of it is where.
std::string fleet_models_text(const nlohmann::json& fleet, const Screen& screen);
// Labels and groups of a device in a line; empty where it has none.
std::string notes_line(const nlohmann::json& device);
std::string policies_text(const nlohmann::json& answer, const Screen& screen);
std::string tasks_text(const nlohmann::json& answer, const Screen& screen);
std::string status_text(const nlohmann::json& answer, const Screen& screen);

struct ExplainOptions {
  bool all = false;                 // variants of other models and synthetic ones too
  std::size_t rows_max = SIZE_MAX;  // per group
};
std::string explain_text(const nlohmann::json& answer, const Screen& screen,
                         const ExplainOptions& options);

}  // namespace juggler
