#include "sim/scenario_file.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/objective.h"
#include "core/policies/policy.h"
#include "files/data_folders.h"
#include "files/nearest_name.h"
#include "files/toml_reader.h"
#include "sim/scenario_draft.h"
#include "sim/scenario_parts.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFleets = "fleets";
constexpr const char* kPatterns = "patterns";
constexpr std::size_t kIncludesMax = 8;

// Reads files into a draft, each after what it includes.
class ScenarioReader {
 public:
  explicit ScenarioReader(ScenarioDraft& draft) : draft_(draft) {}

  Result<void> read_file(const fs::path& file) {
    const fs::path whole = file.lexically_normal();
    if (++files_ > kScenarioFilesMax) {
      return fail(
          ErrorCode::TooLarge,
          fmt::format("{}: more than {} files make one scenario; do they include each other?",
                      whole.string(), kScenarioFilesMax));
    }
    const Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(whole);
    if (!document) {
      return document.error();
    }
    return read(**document, whole.parent_path(), true);
  }

  Result<void> read(TomlDocument& document, const fs::path& folder, bool may_include) {
    TomlSection root = document.root();
    if (may_include) {
      for (const std::string& name : root.texts("include", kIncludesMax)) {
        if (Result<void> ok = read_file(folder / name); !ok) {
          return fail(ok.error().code, root.where("include") + ": " + ok.error().message);
        }
      }
    }
    read_values(root);
    read_lists(root, folder);
    root.refuse_unknown();
    return document.finish();
  }

 private:
  void read_values(TomlSection& root) {
    Scenario& scenario = draft_.scenario;
    scenario.about = root.text_or("about", scenario.about);
    if (const auto seed = root.maybe_integer("seed", {0, INT64_MAX})) {
      scenario.seed = static_cast<std::uint64_t>(*seed);
    }
    read_policy(root);
    const double longest = static_cast<double>(kScenarioDurationMax.count) / 1e6;
    const auto set_seconds = [&](std::string_view key, NumberRange range, Micros& value) {
      if (const auto given = root.maybe_number(key, range)) {
        value = {std::llround(*given * 1e6)};
      }
    };
    set_seconds("duration_s", {0.001, longest}, scenario.duration);
    set_seconds("warm_up_s", {0.0, longest}, scenario.warm_up);
    scenario.drawn = root.maybe_flag("drawn").value_or(scenario.drawn);
    scenario.random_faults = static_cast<int>(
        root.maybe_integer("random_faults", {0, static_cast<std::int64_t>(kScenarioFaultsMax)})
            .value_or(scenario.random_faults));
    const RateDraft rate = read_rate(root);
    if (rate.hz.has_value() || rate.load.has_value()) {
      draft_.rate = rate;
    }
  }

  void read_policy(TomlSection& root) {
    Scenario& scenario = draft_.scenario;
    scenario.policy = root.text_or("policy", scenario.policy);
    std::vector<std::string> names;
    for (const PolicyEntry& entry : policies()) {
      names.emplace_back(entry.name);
    }
    if (!make_policy(scenario.policy)) {
      root.refuse("policy",
                  "'" + scenario.policy + "' is no policy. " + suggestion(scenario.policy, names));
    }
    scenario.weights = root.text_or("weights", scenario.weights);
    if (!scenario.weights.empty() && !parse_goal(scenario.weights).has_value()) {
      root.refuse("weights", "'" + scenario.weights + "' is not one of: energy, latency, " +
                                 "accuracy, balanced");
    }
  }

  // Devices and faults are added to those of earlier files; classes take their place.
  void read_lists(TomlSection& root, const fs::path& folder) {
    read_networks(root, draft_.networks);
    if (std::optional<TomlSection> arrivals = root.maybe_section("arrivals")) {
      draft_.arrivals = read_arrivals(*arrivals, folder);
    }
    for (TomlSection& section : root.sections("device", kScenarioDevicesMax)) {
      draft_.devices.push_back(read_device(section));
    }
    std::vector<ClassDraft> classes;
    for (TomlSection& section : root.sections("class", kScenarioClassesMax)) {
      classes.push_back(read_class(section, folder));
    }
    if (!classes.empty()) {
      draft_.classes = std::move(classes);
    }
    for (TomlSection& section : root.sections("fault", kScenarioFaultsMax)) {
      draft_.faults.push_back(read_fault(section));
    }
    if (std::optional<TomlSection> expect = root.maybe_section("expect")) {
      read_expectations(*expect, draft_.expectations);
    }
    if (std::optional<TomlSection> controller = root.maybe_section("controller")) {
      read_controller(*controller, draft_.scenario.controller);
    }
  }

  ScenarioDraft& draft_;
  std::size_t files_ = 0;
};

std::set<std::string> names_in(const std::vector<fs::path>& folders, const char* part) {
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder / part, failed)) {
      if (entry.path().extension() == ".toml") {
        names.insert(entry.path().stem().string());
      }
    }
  }
  return names;
}

std::optional<fs::path> file_of(const std::vector<fs::path>& folders, const std::string& part,
                                const std::string& name) {
  for (const fs::path& folder : folders) {
    std::error_code failed;
    const fs::path file = folder / part / (name + ".toml");
    if (fs::is_regular_file(file, failed)) {
      return file;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Scenario> load_scenario(const fs::path& file, const fs::path& home) {
  return load_scenario(std::vector<fs::path>{file}, file.stem().string(), home);
}

Result<Scenario> load_scenario(const std::vector<fs::path>& files, const std::string& name,
                               const fs::path& home) {
  ScenarioDraft draft;
  draft.scenario.name = name;
  ScenarioReader reader(draft);
  for (const fs::path& file : files) {
    if (Result<void> ok = reader.read_file(file); !ok) {
      return ok.error();
    }
  }
  return settle(draft, home);
}

Result<Scenario> parse_scenario(std::string_view text, const std::string& origin,
                                const fs::path& home) {
  ScenarioDraft draft;
  draft.scenario.name = fs::path(origin).stem().string();
  const Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  if (!document) {
    return document.error();
  }
  if (Result<void> ok = ScenarioReader(draft).read(**document, {}, false); !ok) {
    return ok.error();
  }
  return settle(draft, home);
}

Result<Scenario> find_scenario(const std::string& name, const fs::path& home) {
  std::error_code failed;
  if (name.ends_with(".toml") && fs::is_regular_file(name, failed)) {
    return load_scenario(fs::path(name), home);
  }
  const std::vector<fs::path> folders = data_folders(kScenarioFolders, home);
  if (const auto file = file_of(folders, "", name); file && name.find("..") == std::string::npos) {
    return load_scenario(*file, home);
  }
  const std::size_t slash = name.find('/');
  if (slash != std::string::npos && name.find("..") == std::string::npos) {
    const auto fleet = file_of(folders, kFleets, name.substr(0, slash));
    const auto pattern = file_of(folders, kPatterns, name.substr(slash + 1));
    if (fleet.has_value() && pattern.has_value()) {
      return load_scenario({*fleet, *pattern}, name, home);
    }
  }
  return fail(ErrorCode::NotFound,
              "no scenario '" + name + "'. " + suggestion(name, list_scenarios(home)));
}

std::vector<std::string> list_scenarios(const fs::path& home) {
  const std::vector<fs::path> folders = data_folders(kScenarioFolders, home);
  const std::set<std::string> single = names_in(folders, "");
  std::vector<std::string> names(single.begin(), single.end());
  for (const std::string& fleet : names_in(folders, kFleets)) {
    for (const std::string& pattern : names_in(folders, kPatterns)) {
      names.push_back(fmt::format("{}/{}", fleet, pattern));
    }
  }
  return names;
}

}  // namespace juggler
