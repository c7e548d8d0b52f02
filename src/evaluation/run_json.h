#pragma once
// A run as JSON: the stable form of `juggler simulate --json` and of `results.json`
// (docs/cli.md#juggler-simulate).

#include <nlohmann/json.hpp>

#include "evaluation/run.h"

namespace juggler::evaluation {

nlohmann::json run_json(const Run& run);
// Second by second, for timelines.
nlohmann::json seconds_json(const sim::RunResult& result);

}  // namespace juggler::evaluation
