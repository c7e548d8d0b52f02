#include "evaluation/evaluation_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <system_error>
#include <utility>

#include "evaluation/proteus.h"
#include "files/data_folders.h"
#include "files/toml_reader.h"

namespace juggler::evaluation {
namespace {

namespace fs = std::filesystem;

constexpr DataFolders kEvaluationFolders{"evaluations", "JUGGLER_EVALUATIONS"};
constexpr std::string_view kEnding = ".toml";

// "60%" as 0.6; nothing for what is no percentage up to 1000%.
std::optional<double> share_of(const std::string& text) {
  char* end = nullptr;
  const double percent = std::strtod(text.c_str(), &end);
  const bool sane = !text.empty() && std::string_view(end) == "%" && percent > 0.0;
  return sane && percent <= 1000.0 ? std::optional(percent / 100.0) : std::nullopt;
}

EvaluationCase read_case(TomlSection& section) {
  EvaluationCase one;
  one.name = section.text("name");
  one.about = section.text_or("about", "");
  one.scenarios = section.texts("scenarios", kEvaluationListMax);
  if (one.scenarios.empty()) {
    section.refuse("scenarios", "names no scenario");
  }
  for (const std::string& name : section.texts("policies", kEvaluationListMax)) {
    if (Result<void> known = check_simulated_policy(name); !known) {
      section.refuse("policies", known.error().message);
    }
    one.contenders.push_back(name);
  }
  if (one.contenders.empty()) {
    section.refuse("policies", "names no policy");
  }
  for (const std::string& load : section.texts("loads", kEvaluationListMax)) {
    if (const std::optional<double> share = share_of(load)) {
      one.loads.push_back(*share);
    } else {
      section.refuse("loads", "'" + load + "' is no share of the capacity such as \"60%\"");
    }
  }
  one.reference = section.text_or("reference", one.contenders.empty() ? "" : one.contenders[0]);
  if (std::count(one.contenders.begin(), one.contenders.end(), one.reference) == 0) {
    section.refuse("reference", "'" + one.reference + "' is not among the policies of the case");
  }
  const std::string bound = section.text_or("bound", "fluid");
  if (const std::optional<BoundKind> kind = parse_bound_kind(bound)) {
    one.bound = *kind;
  } else {
    section.refuse("bound", "'" + bound + "' is not one of: fluid, hindsight, none");
  }
  one.timeline = section.maybe_flag("timeline").value_or(false);
  one.quick = section.maybe_flag("quick").value_or(false);
  section.refuse_unknown();
  return one;
}

Result<Evaluation> read_evaluation(Result<std::unique_ptr<TomlDocument>> document,
                                   std::string name) {
  if (!document) {
    return document.error();
  }
  TomlSection root = (*document)->root();
  Evaluation evaluation;
  evaluation.name = std::move(name);
  evaluation.about = root.text_or("about", "");
  evaluation.seeds = static_cast<std::size_t>(root.maybe_integer("seeds", {1, 1000}).value_or(5));
  for (TomlSection& section : root.sections("case", kEvaluationCasesMax)) {
    evaluation.cases.push_back(read_case(section));
  }
  if (evaluation.cases.empty()) {
    root.refuse("case", "has no [[case]]");
  }
  root.refuse_unknown();
  if (Result<void> finished = (*document)->finish(); !finished) {
    return finished.error();
  }
  return evaluation;
}

}  // namespace

Result<Evaluation> load_evaluation(const fs::path& file) {
  return read_evaluation(TomlDocument::load(file), file.stem().string());
}

Result<Evaluation> parse_evaluation(std::string_view text, const fs::path& origin) {
  return read_evaluation(TomlDocument::parse(text, origin.string()), origin.stem().string());
}

Result<Evaluation> find_evaluation(const std::string& name, const fs::path& home) {
  if (name.ends_with(kEnding)) {
    return load_evaluation(name);
  }
  std::set<std::string> known;
  for (const fs::path& folder : data_folders(kEvaluationFolders, home)) {
    std::error_code failed;
    if (const fs::path file = folder / (name + std::string(kEnding)); fs::exists(file, failed)) {
      return load_evaluation(file);
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
      if (entry.path().extension() == kEnding) {
        known.insert(entry.path().stem().string());
      }
    }
  }
  std::string names;
  for (const std::string& one : known) {
    names += (names.empty() ? "" : ", ") + one;
  }
  return fail(ErrorCode::NotFound, fmt::format("no evaluation is called '{}'; there are: {}", name,
                                               names.empty() ? "none" : names));
}

}  // namespace juggler::evaluation
