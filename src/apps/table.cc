#include "apps/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>
#include <string>

#include "core/check.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kWidthMin = 40;
constexpr std::size_t kNoteIndent = 4;

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      const std::string text = value;
      return text.find("UTF-8") != std::string::npos || text.find("utf8") != std::string::npos ||
             text.find("UTF8") != std::string::npos || text.find("utf-8") != std::string::npos;
    }
  }
  return false;
}

std::size_t columns_of_environment() {
  const char* text = std::getenv("COLUMNS");
  std::size_t width = 0;
  if (text != nullptr) {
    const std::string_view view = text;
    std::from_chars(view.data(), view.data() + view.size(), width);
  }
  return width >= kWidthMin ? width : 120;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

void pad(std::string& line, std::size_t spaces) { line.append(spaces, ' '); }

// The first characters of the text, so many of them.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t bytes = 0;
  while (bytes < text.size() && (!starts_character(text[bytes]) || count-- > 0)) {
    ++bytes;
  }
  return text.substr(0, bytes);
}

std::string_view without_first(std::string_view text, std::size_t count) {
  return text.substr(first_characters(text, count).size());
}

std::string_view ellipsis(bool utf8) { return utf8 ? "…" : "~"; }

std::size_t total(const std::vector<std::size_t>& shown, const std::vector<std::size_t>& widths) {
  std::size_t sum = kGap * (shown.size() - 1);
  for (const std::size_t c : shown) {
    sum += widths[c];
  }
  return sum;
}

void trim_end(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

Screen screen_of(int fd) {
  Screen screen;
  screen.terminal = isatty(fd) == 1;
  screen.width = columns_of_environment();
  screen.utf8 = locale_is_utf8();
  winsize size{};
  if (screen.terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= kWidthMin) {
    screen.width = size.ws_col;
  }
  return screen;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string cut(std::string_view text, std::size_t width, bool utf8) {
  if (display_width(text) <= width) {
    return std::string(text);
  }
  return std::string(first_characters(text, width - 1)).append(ellipsis(utf8));
}

std::string cut_middle(std::string_view text, std::size_t width, bool utf8) {
  const std::size_t characters = display_width(text);
  if (characters <= width) {
    return std::string(text);
  }
  const std::size_t end = (width - 1) - (width - 1) / 3;  // "jetso…-2 gpu0 T": it says more
  return std::string(first_characters(text, width - 1 - end))
      .append(ellipsis(utf8))
      .append(without_first(text, characters - end));
}

std::vector<std::string> break_id(std::string_view id, std::size_t width, bool utf8) {
  constexpr std::size_t kLinesMax = 3;
  const std::string indent(std::min(id.find_first_not_of(' '), id.size()), ' ');
  if (!indent.empty() && indent.size() < std::min(id.size(), width)) {
    std::vector<std::string> lines =
        break_id(id.substr(indent.size()), width - indent.size(), utf8);
    for (std::string& line : lines) {
      line.insert(0, indent);
    }
    return lines;
  }
  std::vector<std::string> lines;
  std::string_view rest = id;
  while (display_width(rest) > width && lines.size() < kLinesMax) {
    const std::string_view whole = first_characters(rest, width);
    std::size_t end = whole.size();
    for (std::size_t i = 1; i <= whole.size(); ++i) {
      if (rest[i] == ' ' || rest[i] == '_' || rest[i - 1] == '-') {
        end = i;  // the last one counts
      }
    }
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + (rest[end] == ' ' ? 1 : 0));
  }
  lines.emplace_back(rest);
  if (lines.size() <= kLinesMax) {
    return lines;
  }
  lines.clear();
  const std::string shorter = cut_middle(id, kLinesMax * width, utf8);
  for (rest = shorter; !rest.empty(); rest = without_first(rest, width)) {
    lines.emplace_back(first_characters(rest, width));
  }
  return lines;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    while (display_width(word) > width) {  // a path, perhaps
      if (!line.empty()) {
        lines.push_back(std::move(line));
        line.clear();
      }
      lines.emplace_back(first_characters(word, width));
      word = without_first(word, width);
    }
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) {
      line += ' ';
    }
    line += word;
  }
  if (!line.empty() || lines.empty()) {
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string paragraph(std::string_view text, const Screen& screen) {
  std::string lines;
  for (const std::string& line : wrap(printable_lines(text), screen.width)) {
    lines += line + "\n";
  }
  return lines;
}

void Table::row(std::vector<std::string> cells) {
  JUGGLER_CHECK(cells.size() == columns_.size(), "a cell for every column");
  for (std::string& cell : cells) {  // somebody else's text must not break the table
    cell = printable(cell);
  }
  lines_.push_back({std::move(cells)});
  rows_ += 1;
}

void Table::section(const std::string& heading) { lines_.push_back({{}, printable(heading), 0}); }

void Table::note(const std::string& text) { lines_.push_back({{}, printable(text), kNoteIndent}); }

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].title);
    for (const Line& line : lines_) {
      if (!line.cells.empty()) {
        width = std::max(width, display_width(line.cells[c]));
      }
    }
    widths.push_back(width);
  }
  return widths;
}

std::size_t Table::least_width(std::size_t column, std::size_t natural) const {
  const Column& it = columns_[column];
  return it.fit == Column::Fit::Keep ? natural : std::min(natural, it.least);
}

// The columns for which there is room once all have given what they can.
Table::Shown Table::fitting(const std::vector<std::size_t>& natural, std::size_t width) const {
  Shown shown(columns_.size());
  std::iota(shown.begin(), shown.end(), 0);
  std::vector<std::size_t> least;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    least.push_back(least_width(c, natural[c]));
  }
  while (total(shown, least) > width) {
    const auto first =
        std::max_element(shown.begin(), shown.end(), [this](std::size_t a, std::size_t b) {
          return columns_[a].leave_out < columns_[b].leave_out;
        });
    if (columns_[*first].leave_out == 0) {
      break;  // it stays too wide
    }
    shown.erase(first);
  }
  return shown;
}

// A wrapped column gives way first, then plain texts, then ids; of each kind the widest, one
// character at a time.
void Table::shrink(const Shown& shown, std::size_t width, std::vector<std::size_t>& widths) const {
  for (const Column::Fit fit : {Column::Fit::Wrap, Column::Fit::Cut, Column::Fit::Id}) {
    while (total(shown, widths) > width) {
      std::size_t* widest = nullptr;
      for (const std::size_t c : shown) {
        const bool may = columns_[c].fit == fit && widths[c] > least_width(c, widths[c]);
        if (may && (widest == nullptr || widths[c] > *widest)) {
          widest = &widths[c];
        }
      }
      if (widest == nullptr) {
        break;
      }
      *widest -= 1;
    }
  }
}

std::vector<std::string> Table::lines_of(std::size_t column, const std::string& cell,
                                         std::size_t width, bool utf8) const {
  switch (columns_[column].fit) {
    case Column::Fit::Keep:
      break;
    case Column::Fit::Cut:
      return {cut(cell, width, utf8)};
    case Column::Fit::Id:
      return break_id(cell, width, utf8);
    case Column::Fit::Wrap:
      return wrap(cell, width);
  }
  return {cell};
}

// One row, on as many lines as its longest cell.
std::string Table::text_of(const std::vector<std::string>& cells, const Shown& shown,
                           const std::vector<std::size_t>& widths, bool utf8) const {
  std::vector<std::vector<std::string>> of_cells;
  std::size_t lines = 1;
  for (const std::size_t c : shown) {
    of_cells.push_back(lines_of(c, cells[c], widths[c], utf8));
    lines = std::max(lines, of_cells.back().size());
  }
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    std::string line;
    for (std::size_t s = 0; s < shown.size(); ++s) {
      const std::size_t c = shown[s];
      const std::string part = i < of_cells[s].size() ? of_cells[s][i] : std::string();
      const std::size_t space = widths[c] - std::min(display_width(part), widths[c]);
      pad(line, columns_[c].right ? space : 0);
      line += part;
      pad(line, (columns_[c].right ? 0 : space) + kGap);
    }
    trim_end(line);
    text += line + "\n";
  }
  return text;
}

std::string Table::left_out(const Shown& shown, const Screen& screen) const {
  std::string titles;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (std::find(shown.begin(), shown.end(), c) == shown.end()) {
      titles += (titles.empty() ? "" : ", ") + columns_[c].title;
    }
  }
  return titles.empty() ? ""
                        : paragraph("Left out to fit " + std::to_string(screen.width) +
                                        " columns: " + titles + ".",
                                    screen);
}

std::string Table::text(const Screen& screen) const {
  std::vector<std::size_t> widths = natural_widths();
  const Shown shown = fitting(widths, screen.width);
  shrink(shown, screen.width, widths);
  std::vector<std::string> titles;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    titles.push_back(cut(columns_[c].title, widths[c], screen.utf8));
  }
  std::string text = text_of(titles, shown, widths, screen.utf8);
  std::string rule;
  for (const std::size_t c : shown) {
    for (std::size_t i = 0; i < widths[c]; ++i) {
      rule += screen.utf8 ? "─" : "-";
    }
    pad(rule, kGap);
  }
  trim_end(rule);
  text += rule + "\n";
  for (const Line& line : lines_) {
    if (line.cells.empty()) {
      for (const std::string& part : wrap(line.words, screen.width - line.indent)) {
        text += std::string(line.indent, ' ') + part + "\n";
      }
    } else {
      text += text_of(line.cells, shown, widths, screen.utf8);
    }
  }
  return text + left_out(shown, screen);
}

}  // namespace juggler
