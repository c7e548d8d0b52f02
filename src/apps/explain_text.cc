// `juggler explain` for people: the candidates of one decision in groups: chosen, would do, and the
// rest by the reason that excluded them.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "apps/explain_reason.h"
#include "apps/json_fields.h"
#include "apps/quantities.h"
#include "apps/query_tables.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

using nlohmann::json;

std::string requirements_of(const json& answer) {
  const auto at = answer.find("requirements");
  if (at == answer.end() || !at->is_object()) {
    return "";
  }
  std::string text = "model " + printable(text_of(*at, "model"));
  if (const auto floor = number_of(*at, "min_accuracy_percent")) {
    text += fmt::format(", at least {:.1f} % top-1", *floor);
  }
  if (const auto deadline = integer_of(*at, "deadline_us")) {
    text += ", within " + show(Micros{*deadline});
  }
  if (const auto limit = integer_of(*at, "energy_uj_max")) {
    text += ", at most " + show(Microjoules{*limit});
  }
  if (const auto priority = integer_of(*at, "priority"); priority.value_or(0) > 0) {
    text += fmt::format(", priority {}", *priority);
  }
  return text;
}

bool synthetic(const json& candidate) { return text_of(candidate, "weights") == "synthetic"; }

std::string group_of(const json& candidate) {
  return flag_of(candidate, "chosen") ? "chosen" : text_of(candidate, "verdict");
}

std::string heading(const std::string& group, const json& first, std::size_t count) {
  if (group == "chosen") {
    return "Chosen";
  }
  if (group == "meets") {
    return fmt::format("Would do as well ({})", count);
  }
  std::string why = text_of(first, "why");
  if (!why.empty() && why.front() >= 'a' && why.front() <= 'z') {
    why.front() = static_cast<char>(why.front() - 'a' + 'A');
  }
  return fmt::format("{} ({})", why, count);
}

struct Group {
  std::string name;
  std::vector<const json*> candidates;
};

// By the order of the answer: chosen, meets, then the rest; cheapest first within a group.
std::vector<Group> groups_of(const json& answer) {
  std::vector<Group> groups;
  for (const json& candidate : list_of(answer, "candidates")) {
    if (!candidate.is_object()) {
      continue;
    }
    const std::string name = group_of(candidate);
    auto at = std::find_if(groups.begin(), groups.end(),
                           [&name](const Group& group) { return group.name == name; });
    if (at == groups.end()) {
      groups.push_back({name, {}});
      at = groups.end() - 1;
    }
    at->candidates.push_back(&candidate);
  }
  for (Group& group : groups) {
    std::stable_sort(group.candidates.begin(), group.candidates.end(),
                     [](const json* a, const json* b) {
                       return integer_of(*a, "energy_uj_board_input").value_or(INT64_MAX) <
                              integer_of(*b, "energy_uj_board_input").value_or(INT64_MAX);
                     });
  }
  return groups;
}

bool aside(const std::string& group) {
  return group == "other-model" || group == "synthetic-weights";
}

std::vector<std::string> cells_of(const json& candidate, const std::string& why) {
  const auto energy = energy_of(candidate);
  const auto input = integer_of(candidate, "energy_uj_board_input");
  return {fmt::format("  {} {}{}", text_of(candidate, "device"), text_of(candidate, "processor"),
                      flag_of(candidate, "twin") ? " T" : ""),
          text_of(candidate, "variant") + (synthetic(candidate) ? " S" : ""),
          fmt::format("{:.1f} %", number_of(candidate, "accuracy_percent").value_or(0)),
          show(Micros{integer_of(candidate, "latency_us").value_or(0)}),
          show(Micros{integer_of(candidate, "finish_us").value_or(0)}),
          energy.has_value() ? show_interval(*energy) : "unknown",
          input.has_value() ? show(Microjoules{*input}) : "-",
          why};
}

}  // namespace

std::string explain_text(const json& answer, const Screen& screen, const ExplainOptions& options) {
  const std::string policy = text_of(answer, "policy");
  const std::string decision = text_of(answer, "decision");
  std::string text = fmt::format(
      "Task {}: {}, by policy {}, {} after its arrival.\n", printable(text_of(answer, "task")),
      decision == "place"  ? "placed"
      : decision == "wait" ? "waits"
                           : "cannot be served",
      printable(policy), show(Micros{integer_of(answer, "age_us").value_or(0)}));
  text += paragraph(fmt::format("Asked for: {}; {} left.", requirements_of(answer),
                                show(Micros{integer_of(answer, "remaining_us").value_or(0)})),
                    screen);
  if (const auto limit = integer_of(answer, "power_mw_max")) {
    text += paragraph(fmt::format("The fleet then took {} at most, of {}.",
                                  show(Milliwatts{integer_of(answer, "power_mw").value_or(0)}),
                                  show(Milliwatts{*limit})),
                      screen);
  }
  if (const std::string reason = text_of(answer, "reason"); !reason.empty()) {
    text += paragraph("Reason: " + printable(reason), screen);
  }
  using Fit = Column::Fit;
  Table table({{.title = "  device, processor", .fit = Fit::Id, .least = 18},
               {.title = "variant", .fit = Fit::Id, .least = 14},
               {.title = "top-1", .right = true},
               {.title = "run p95", .right = true, .leave_out = 2},
               {.title = "finish", .right = true},
               {.title = "energy", .leave_out = 1},
               {.title = "at input", .right = true},
               {.title = "why not", .fit = Fit::Wrap, .least = 16}});
  const std::vector<Group> groups = groups_of(answer);
  const json* chosen = !groups.empty() && groups.front().name == "chosen"
                           ? groups.front().candidates.front()
                           : nullptr;
  std::string left_out;
  for (const Group& group : groups) {
    const json& first = *group.candidates.front();
    if (aside(group.name) && !options.all) {
      left_out +=
          fmt::format("{}{} {}", left_out.empty() ? "" : ", ", group.candidates.size(),
                      group.name == "other-model" ? "of other models" : "with synthetic weights");
      continue;
    }
    table.section(heading(group.name, first, group.candidates.size()));
    for (std::size_t i = 0; i < group.candidates.size(); ++i) {
      if (i == options.rows_max) {
        table.note(fmt::format("and {} more", group.candidates.size() - i));
        break;
      }
      const json& candidate = *group.candidates[i];
      const bool choosable = group.name == "meets" || group.name == "window-full";
      table.row(cells_of(candidate, choosable && chosen != nullptr
                                        ? reason_against(candidate, *chosen, policy)
                                        : std::string()));
    }
  }
  text += "\n" + table.text(screen);
  if (!left_out.empty()) {
    text += fmt::format("Left out: {} (--all shows them).\n", left_out);
  }
  text += paragraph(
      "finish: predicted, from the decision, with queue and network; energy above idle, with its "
      "interval; at input: converted to the board's input, which is what decisions compare. T = "
      "twin; S = synthetic weights: its top-1 is published for trained ones.",
      screen);
  return text;
}

}  // namespace juggler
