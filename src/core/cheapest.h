#pragma once
// The cheapest placement of a task, without judging every variant on every processor.
//
// Processors are looked at in the order of the least that the task could cost there
// (core/lane_bounds.h), and the search ends where that is more than the best found costs. What it
// finds is what the judgement of all would have found: bounds only leave out, and they never leave
// out what could be the best, equals among them.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/candidates.h"
#include "core/lane_bounds.h"
#include "core/lane_table.h"
#include "core/objective.h"

namespace juggler {

// The order of the candidates that can be chosen: those whose energy is known, by cost with price,
// earlier finish, higher accuracy. Ties go to the lower ids.
bool cheaper(const Candidate& a, const Candidate& b);

// Whether a task may ask for this candidate (core/prices.h): others keep it away, if anybody does.
inline bool may_be_asked(const Candidate& candidate) {
  return choosable(candidate) || is_overload(candidate.verdict);
}

class CheapestSearch {
 public:
  // Puts into `candidates`, in the order of ids, the one that is first by cheaper(), and the one
  // that the task asks least of if that is less than it is worth; into `outlook` the processors
  // that it looked at. False where nothing can be chosen, or much was looked at in vain: then all
  // candidates have to be judged, which also shows why.
  //
  // requires a question about `outlook`
  bool find(const LaneTable& table, const Question& question, Judge& judge, Outlook& outlook,
            std::vector<Candidate>& candidates);

 private:
  struct Run;
  // A part of the tree of bounds that is still to be looked at.
  struct Node {
    std::int64_t key = 0;
    Micros finish;
    std::size_t position = 0;
    std::size_t first = 0;  // processor below it
    std::size_t width = 0;  // so many, or as many as there are
  };
  enum class Aim { Choice, Ask };

  MilliPercent floor_of(const LaneTable& table, const TaskView& task);
  const LaneBounds& bounds_for(const LaneTable& table, const Question& question);
  void search(Run& run, Aim aim);
  void look_at(Run& run, std::size_t position, Aim aim);

  std::vector<std::unique_ptr<LaneBounds>> kinds_;  // the last asked for first
  std::vector<MilliPercent> accuracies_;            // of all variants, ascending
  std::uint64_t layout_ = 0;                        // of which these are
  std::vector<Node> nodes_;                         // a heap
  // Of the processor in question: the least that each variant costs or asks.
  std::vector<std::pair<std::int64_t, std::uint32_t>> left_;
};

}  // namespace juggler
