#pragma once
// A linear programme, minimised by COIN-OR CLP: the one door to the solver. Built row by row and
// column by column, solved, extended and solved again from where it stood.

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"

namespace juggler::bounds {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Entry {
  int row = 0;
  double value = 0.0;
};

struct Column {
  double cost = 0.0;
  double lower = 0.0;
  double upper = kInfinity;
  std::vector<Entry> entries;  // one per row at most
};

struct SolverLimits {
  double seconds = 60.0;
  int iterations = 10'000'000;
};

// thread  one at a time; different programmes may be solved by different threads.
class LinearProgram {
 public:
  LinearProgram();
  ~LinearProgram();
  LinearProgram(LinearProgram&&) noexcept;
  LinearProgram& operator=(LinearProgram&&) noexcept;

  // Both return the number of the new row or column, from 0.
  int add_row(double lower, double upper);
  int add_column(const Column& column);
  void set_column_bounds(int column, double lower, double upper);
  void set_cost(int column, double cost);

  // Minimises. Afterwards the values, prices and the objective are those of the optimum.
  //
  // errors  Unsupported: no point satisfies all rows. InvalidArgument: unbounded, so the programme
  //         is wrong. TooLarge: a limit was reached. Each says what to do.
  Result<void> minimise(const SolverLimits& limits = {});

  double objective() const;
  std::span<const double> values() const;  // one per column
  // One per row: how much the objective grows per unit by which the row's bound rises.
  std::span<const double> prices() const;

  int rows() const;
  int columns() const;
  std::int64_t iterations() const { return iterations_; }  // over all solves

 private:
  void flush();

  struct Model;
  std::unique_ptr<Model> model_;
  std::int64_t iterations_ = 0;
};

}  // namespace juggler::bounds
