#include "apps/outcome_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/quantities.h"

namespace juggler {
namespace {

constexpr std::size_t kWide = 150;    // columns in which the longest row fits with its source
constexpr std::size_t kNarrow = 100;  // below, there is no room for intervals

std::vector<Column> columns(bool wide) {
  using Fit = Column::Fit;
  return {{.title = "picture", .fit = Fit::Cut, .least = 7},
          {.title = "label", .fit = Fit::Cut, .least = 10},
          {.title = wide ? "score" : "prob", .right = true, .leave_out = 1},
          {.title = "variant", .fit = Fit::Id, .least = 12},
          {.title = "top-1", .right = true, .leave_out = 2},
          {.title = "device, processor", .fit = Fit::Id, .least = 12},
          {.title = "latency", .right = true},
          {.title = wide ? "energy above idle (interval)" : "energy", .fit = Fit::Keep}};
}

bool right_label(const Outcome& outcome, const std::vector<std::string>& truth) {
  return !outcome.labels.empty() &&
         std::find(truth.begin(), truth.end(), outcome.labels.front().name) != truth.end();
}

}  // namespace

std::string describe(const ClientAnswer& answer) {
  switch (answer.end) {
    case ClientEnd::Answered:
      return answer.outcome.kind == OutcomeKind::Completed
                 ? std::string("completed")
                 : fmt::format("{}: {}", to_string(answer.outcome.kind), answer.outcome.reason);
    case ClientEnd::Unreadable:
    case ClientEnd::NotSent:
      return "not submitted: " + answer.problem;
    case ClientEnd::Unroutable:
    case ClientEnd::Refused:
      return "not accepted: " + answer.problem;
    case ClientEnd::TimedOut:
    case ClientEnd::Stopped:
      return "no outcome: " + answer.problem;
  }
  return "?";
}

OutcomeTable::OutcomeTable(Screen screen)
    : screen_(screen),
      wide_(screen.width >= kWide),
      narrow_(screen.width < kNarrow),
      table_(columns(wide_)) {}

void OutcomeTable::section(const std::string& heading) { table_.section(heading); }

std::string OutcomeTable::label_cell(const Outcome& outcome,
                                     const std::vector<std::string>& truth) {
  if (outcome.weights == Weights::Synthetic) {
    return outcome.labels.empty() ? "(none)" : "(synthetic weights)";
  }
  if (outcome.labels.empty()) {
    return outcome.twin ? "(none: twin)" : "(none)";
  }
  std::string mark;
  if (!truth.empty()) {
    truths_ = true;
    const bool right = right_label(outcome, truth);
    mark = screen_.utf8 ? (right ? "✓ " : "✗ ") : (right ? "+ " : "x ");
  }
  return mark + outcome.labels.front().name;
}

std::string OutcomeTable::energy_cell(const Outcome& outcome) {
  if (!outcome.energy.has_value()) {
    return "unknown";
  }
  energies_ = true;
  const std::string figure = narrow_ ? show(outcome.energy->value) : show_interval(*outcome.energy);
  const std::string source = show_source(*outcome.energy);
  if (wide_) {
    return figure + " " + source;
  }
  const char next = static_cast<char>('a' + std::min<std::size_t>(sources_.size(), 25));
  return fmt::format("{} {}", figure, sources_.try_emplace(source, next).first->second);
}

void OutcomeTable::add(const OutcomeRow& row) {
  const ClientAnswer& answer = *row.answer;
  const Outcome& outcome = answer.outcome;
  if (answer.end != ClientEnd::Answered || outcome.kind != OutcomeKind::Completed) {
    const std::string word =
        answer.end == ClientEnd::Answered ? std::string(to_string(outcome.kind)) : "no outcome";
    table_.row({row.picture, word, "", "", "", "", "", ""});
    table_.note(describe(answer));
    return;
  }
  twins_ = twins_ || outcome.twin;
  const std::string score = outcome.labels.empty() || outcome.weights == Weights::Synthetic
                                ? std::string()
                                : fmt::format("{:.0f} %", outcome.labels.front().score * 100);
  table_.row({row.picture, label_cell(outcome, row.truth), score, variant_cell(outcome),
              show(outcome.accuracy), place_cell(outcome), show(outcome.total),
              energy_cell(outcome)});
}

void OutcomeTable::add_grouped(const std::vector<ClientAnswer>& answers) {
  struct Served {
    const Outcome* example = nullptr;
    std::size_t count = 0;
    Micros slowest;
  };
  std::map<std::string, Served> places;
  std::map<std::string, std::size_t> refused;
  for (const ClientAnswer& answer : answers) {
    const Outcome& outcome = answer.outcome;
    if (answer.end != ClientEnd::Answered || outcome.kind != OutcomeKind::Completed) {
      refused[describe(answer)] += 1;
      continue;
    }
    Served& served = places[outcome.device + " " + outcome.processor + " " + outcome.variant];
    served.slowest = std::max(served.slowest, outcome.total);
    served.example = &outcome;
    served.count += 1;
  }
  std::vector<Served> sorted;
  for (const auto& [name, served] : places) {
    sorted.push_back(served);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Served& a, const Served& b) { return a.count > b.count; });
  for (const Served& served : sorted) {
    const Outcome& outcome = *served.example;
    twins_ = twins_ || outcome.twin;
    table_.row({fmt::format("{} of {}", served.count, answers.size()), "(the slowest)", "",
                variant_cell(outcome), show(outcome.accuracy), place_cell(outcome),
                show(served.slowest), energy_cell(outcome)});
  }
  for (const auto& [why, count] : refused) {
    table_.row({fmt::format("{} of {}", count, answers.size()), why.substr(0, why.find(':')), "",
                "", "", "", "", ""});
    table_.note(why);
  }
}

std::string OutcomeTable::variant_cell(const Outcome& outcome) {
  const bool synthetic = outcome.weights == Weights::Synthetic;
  synthetic_ = synthetic_ || synthetic;
  return outcome.variant + (synthetic ? " S" : "");
}

std::string OutcomeTable::place_cell(const Outcome& outcome) const {
  return fmt::format("{} {}{}", outcome.device, outcome.processor,
                     outcome.twin ? (wide_ ? " (twin)" : " T") : "");
}

std::string OutcomeTable::text() const {
  std::string text = table_.text(screen_);
  std::vector<std::string> notes;
  if (twins_) {
    notes.push_back(std::string(wide_ ? "twin" : "T") +
                    " = twin of a board: real messages, times and energies from its profile");
  }
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    for (const auto& [source, mark] : sources_) {
      if (mark == letter) {
        notes.push_back(fmt::format("{} = {}", letter, source));
      }
    }
  }
  if (truths_) {
    notes.emplace_back(screen_.utf8 ? "✓ ✗ = the label is right, wrong"
                                    : "+ x = the label is right, wrong");
  }
  if (synthetic_) {
    notes.emplace_back("S = synthetic weights: right graph and speed, meaningless labels");
  }
  if (energies_) {
    notes.emplace_back(narrow_ ? "energy above idle (its interval: --json, or 100 columns)"
                               : "energy above idle, with its interval");
  }
  if (notes.empty()) {
    return text;
  }
  std::string legend;
  for (const std::string& note : notes) {
    legend += (legend.empty() ? "" : "; ") + note;
  }
  return text + paragraph(legend + ".", screen_);
}

}  // namespace juggler
