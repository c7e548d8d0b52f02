// The only file that includes CLP's headers. CLP throws nothing through its C interface; what it
// hands out are doubles within its tolerances (1e-7), which callers round or verify themselves.
#include "bounds/linear.h"

#include <Clp_C_Interface.h>
#include <fmt/format.h>

#include "core/check.h"

namespace juggler::bounds {
namespace {

struct Deleter {
  void operator()(Clp_Simplex* model) const { Clp_deleteModel(model); }
};

// CLP's codes, from the comment of Clp_status in its header.
constexpr int kOptimal = 0;
constexpr int kInfeasible = 1;
constexpr int kUnbounded = 2;
constexpr int kLimit = 3;

}  // namespace

// Rows and columns are collected and handed over together: CLP copies its matrix at each addition.
struct LinearProgram::Model {
  std::unique_ptr<Clp_Simplex, Deleter> clp{Clp_newModel()};
  std::vector<double> row_lower;
  std::vector<double> row_upper;
  std::vector<double> column_lower;
  std::vector<double> column_upper;
  std::vector<double> costs;
  std::vector<CoinBigIndex> starts{0};
  std::vector<int> entry_rows;
  std::vector<double> entry_values;
};

LinearProgram::LinearProgram() : model_(std::make_unique<Model>()) {
  JUGGLER_CHECK(model_->clp != nullptr, "CLP has no memory for a model");
  Clp_setLogLevel(model_->clp.get(), 0);
}
LinearProgram::~LinearProgram() = default;
LinearProgram::LinearProgram(LinearProgram&&) noexcept = default;
LinearProgram& LinearProgram::operator=(LinearProgram&&) noexcept = default;

int LinearProgram::rows() const {
  return Clp_numberRows(model_->clp.get()) + static_cast<int>(model_->row_lower.size());
}

int LinearProgram::columns() const {
  return Clp_numberColumns(model_->clp.get()) + static_cast<int>(model_->costs.size());
}

int LinearProgram::add_row(double lower, double upper) {
  const int row = rows();
  model_->row_lower.push_back(lower);
  model_->row_upper.push_back(upper);
  return row;
}

int LinearProgram::add_column(const Column& column) {
  const int number = columns();
  const int row_count = rows();
  model_->costs.push_back(column.cost);
  model_->column_lower.push_back(column.lower);
  model_->column_upper.push_back(column.upper);
  for (const Entry& entry : column.entries) {
    JUGGLER_CHECK(entry.row >= 0 && entry.row < row_count, "a column names a row that exists");
    model_->entry_rows.push_back(entry.row);
    model_->entry_values.push_back(entry.value);
  }
  model_->starts.push_back(static_cast<CoinBigIndex>(model_->entry_rows.size()));
  return number;
}

void LinearProgram::set_column_bounds(int column, double lower, double upper) {
  flush();
  JUGGLER_CHECK(column >= 0 && column < columns(), "a bound is of a column that exists");
  Clp_columnLower(model_->clp.get())[column] = lower;
  Clp_columnUpper(model_->clp.get())[column] = upper;
}

void LinearProgram::set_cost(int column, double cost) {
  flush();
  JUGGLER_CHECK(column >= 0 && column < columns(), "a cost is of a column that exists");
  Clp_objective(model_->clp.get())[column] = cost;
}

void LinearProgram::flush() {
  Model& m = *model_;
  if (!m.row_lower.empty()) {
    const std::vector<CoinBigIndex> no_entries(m.row_lower.size() + 1, 0);
    const int none = 0;
    const double nothing = 0.0;
    Clp_addRows(m.clp.get(), static_cast<int>(m.row_lower.size()), m.row_lower.data(),
                m.row_upper.data(), no_entries.data(), &none, &nothing);
    m.row_lower.clear();
    m.row_upper.clear();
  }
  if (!m.costs.empty()) {
    m.entry_rows.push_back(0);  // so that data() points somewhere even if all columns are empty
    m.entry_values.push_back(0.0);
    Clp_addColumns(m.clp.get(), static_cast<int>(m.costs.size()), m.column_lower.data(),
                   m.column_upper.data(), m.costs.data(), m.starts.data(), m.entry_rows.data(),
                   m.entry_values.data());
    m.costs.clear();
    m.column_lower.clear();
    m.column_upper.clear();
    m.starts.assign(1, 0);
    m.entry_rows.clear();
    m.entry_values.clear();
  }
}

Result<void> LinearProgram::minimise(const SolverLimits& limits) {
  flush();
  Clp_Simplex* clp = model_->clp.get();
  Clp_setMaximumSeconds(clp, limits.seconds);
  Clp_setMaximumIterations(clp, limits.iterations);
  Clp_primal(clp, 0);
  iterations_ += Clp_numberIterations(clp);
  switch (Clp_status(clp)) {
    case kOptimal:
      return {};
    case kInfeasible:
      return fail(ErrorCode::Unsupported, "linear programme: no solution satisfies all rows");
    case kUnbounded:
      return fail(ErrorCode::InvalidArgument,
                  "linear programme: its objective has no bound; a cost or a time is negative");
    case kLimit:
      return fail(ErrorCode::TooLarge,
                  fmt::format("linear programme: {} rows x {} columns not solved within {:.0f} s; "
                              "allow more time or ask for less at once",
                              rows(), columns(), limits.seconds));
    default:
      return fail(ErrorCode::Internal,
                  "linear programme: the solver gave up on numerical difficulties; check profiles "
                  "for figures that differ by more than a billion");
  }
}

double LinearProgram::objective() const { return Clp_objectiveValue(model_->clp.get()); }

std::span<const double> LinearProgram::values() const {
  auto* raw = model_->clp.get();
  return {Clp_primalColumnSolution(raw), static_cast<std::size_t>(Clp_numberColumns(raw))};
}

std::span<const double> LinearProgram::prices() const {
  auto* raw = model_->clp.get();
  return {Clp_dualRowSolution(raw), static_cast<std::size_t>(Clp_numberRows(raw))};
}

}  // namespace juggler::bounds
