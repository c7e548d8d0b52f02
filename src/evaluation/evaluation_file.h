#pragma once
// What an evaluation runs, as data: docs/evaluation.md has the format.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "evaluation/bound.h"

namespace juggler::evaluation {

// Bounds of one evaluation, so that no file asks for a year.
inline constexpr std::size_t kEvaluationCasesMax = 64;
inline constexpr std::size_t kEvaluationListMax = 64;

// Scenarios x loads x contenders x seeds.
struct EvaluationCase {
  std::string name;
  std::string about;                    // what it is to show
  std::vector<std::string> scenarios;   // as `juggler simulate` takes them
  std::vector<double> loads;            // in place of the scenarios' own rates; may be empty
  std::vector<std::string> contenders;  // policies, as make_policy() takes them
  std::string reference;                // a contender's name: what the others are compared with
  BoundKind bound = BoundKind::Fluid;
  bool timeline = false;  // the first seed is shown second by second
  bool quick = false;     // part of `--quick`
};

struct Evaluation {
  std::string name;
  std::string about;
  std::size_t seeds = 5;
  std::vector<EvaluationCase> cases;
};

// errors  file, line, key and reason
Result<Evaluation> load_evaluation(const std::filesystem::path& file);
Result<Evaluation> parse_evaluation(std::string_view text, const std::filesystem::path& origin);

// By a path that ends in .toml, or by the name of a file in a folder `evaluations`: looked for as
// scenarios are, with $JUGGLER_EVALUATIONS.
//
// errors  NotFound with the names that there are
Result<Evaluation> find_evaluation(const std::string& name, const std::filesystem::path& home);

}  // namespace juggler::evaluation
