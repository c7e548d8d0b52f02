#pragma once
// What an evaluation has found: every run, and per case, scenario and load the policies side by
// side, with intervals over the seeds and paired differences to the case's reference.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/evaluation_file.h"
#include "evaluation/run.h"

namespace juggler::evaluation {

// One run, with what it was part of.
struct ResultRun {
  std::size_t of_case = 0;  // index into Evaluation::cases
  std::string scenario;
  std::optional<double> load{};
  std::string contender;
  Run run;
};

// The raw data: a header and a row per run. Units are in the column's names.
std::string results_csv(const Evaluation& evaluation, const std::vector<ResultRun>& runs);

// `cases` with their `groups` (scenario, load), in each the `rows` (contender) with mean and half
// width of every figure and of its paired difference to the reference; and `runs`.
nlohmann::json results_json(const Evaluation& evaluation, const std::vector<ResultRun>& runs);

}  // namespace juggler::evaluation
