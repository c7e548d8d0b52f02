#pragma once
// Tables for people: aligned columns that fit the terminal. It knows nothing of what they say,
// and cleans it (telemetry/printable.h).

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace juggler {

// What the output can show.
struct Screen {
  bool terminal = false;
  std::size_t width = 120;
  bool utf8 = false;
};

// Asks the terminal behind `fd`; for a file or pipe $COLUMNS or 120 columns.
Screen screen_of(int fd);

// Characters as a terminal counts them, for UTF-8 text without wide or combining ones.
std::size_t display_width(std::string_view text);
// The text in at most `width` columns, its end replaced by an ellipsis where it does not fit.
std::string cut(std::string_view text, std::size_t width, bool utf8);
// The same with its middle replaced, nearer to its beginning: ids differ at their ends.
std::string cut_middle(std::string_view text, std::size_t width, bool utf8);
// An id in lines of at most `width` columns, broken at spaces, after hyphens, before underscores;
// what needs more than three lines is shortened in its middle first.
std::vector<std::string> break_id(std::string_view id, std::size_t width, bool utf8);
// Lines of at most `width` columns, broken at spaces, and within words that are longer.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

// Text wrapped to the screen, each line ended.
std::string paragraph(std::string_view text, const Screen& screen);

struct Column {
  enum class Fit {
    Keep,  // as wide as its widest cell
    Cut,   // shortened at its end where the table is too wide
    Id,  // continued on the next line, broken where its parts end, so that it stays one of its own
    Wrap,  // likewise, broken at spaces
  };
  std::string title{};
  bool right = false;
  Fit fit = Fit::Keep;
  std::size_t least = 8;  // columns that a shortened or wrapped one keeps
  // Where the table is too wide even so, the columns with the highest number are left out first,
  // and a line below says which. 0: never.
  int leave_out = 0;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // requires  as many cells as columns
  void row(std::vector<std::string> cells);
  // A heading across all columns, before the rows that follow.
  void section(const std::string& heading);
  // More words about the row before, indented and wrapped.
  void note(const std::string& text);
  bool empty() const { return rows_ == 0; }

  std::string text(const Screen& screen) const;

 private:
  struct Line {
    std::vector<std::string> cells;
    std::string words{};  // of a section or note; then there are no cells
    std::size_t indent = 0;
  };
  using Shown = std::vector<std::size_t>;  // positions of columns
  std::vector<std::size_t> natural_widths() const;
  std::size_t least_width(std::size_t column, std::size_t natural) const;
  Shown fitting(const std::vector<std::size_t>& natural, std::size_t width) const;
  void shrink(const Shown& shown, std::size_t width, std::vector<std::size_t>& widths) const;
  std::vector<std::string> lines_of(std::size_t column, const std::string& cell, std::size_t width,
                                    bool utf8) const;
  std::string text_of(const std::vector<std::string>& cells, const Shown& shown,
                      const std::vector<std::size_t>& widths, bool utf8) const;
  std::string left_out(const Shown& shown, const Screen& screen) const;

  std::vector<Column> columns_;
  std::vector<Line> lines_;
  std::size_t rows_ = 0;
};

}  // namespace juggler
