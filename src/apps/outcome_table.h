#pragma once
// One row per task and how it was answered, as submit and the demonstration print it.

#include <map>
#include <string>
#include <vector>

#include "apps/client.h"
#include "apps/table.h"

namespace juggler {

struct OutcomeRow {
  std::string picture;
  const ClientAnswer* answer = nullptr;
  std::vector<std::string> truth;  // labels that count as right; empty: nobody knows
};

class OutcomeTable {
 public:
  explicit OutcomeTable(Screen screen);

  void section(const std::string& heading);
  // More words about the rows before.
  void note(const std::string& text) { table_.note(text); }
  void add(const OutcomeRow& row);
  // One row per place that served some of them, and one per reason why some were not.
  void add_grouped(const std::vector<ClientAnswer>& answers);
  // The table and, below it, what its marks mean.
  std::string text() const;

 private:
  std::string label_cell(const Outcome& outcome, const std::vector<std::string>& truth);
  std::string energy_cell(const Outcome& outcome);
  std::string variant_cell(const Outcome& outcome);
  std::string place_cell(const Outcome& outcome) const;

  Screen screen_;
  bool wide_;    // room for the energies' sources in every row
  bool narrow_;  // no room for intervals
  Table table_;
  std::map<std::string, char> sources_;  // of energies, by what they say
  bool twins_ = false;
  bool truths_ = false;
  bool energies_ = false;
  bool synthetic_ = false;
};

// "completed", "rejected: <reason>", "not submitted: <problem>".
std::string describe(const ClientAnswer& answer);

}  // namespace juggler
