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
constexpr std::size_t kColumnMin = 8;  // a cut column keeps at least this
constexpr std::size_t kWidthMin = 40;
constexpr std::size_t kWrapMin = 12;
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
  const std::string_view ellipsis = utf8 ? "…" : "~";
  std::string kept;
  std::size_t characters = 0;
  for (const char c : text) {
    if (starts_character(c) && ++characters > width - 1) {
      break;
    }
    kept += c;
  }
  return kept.append(ellipsis);
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
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

std::vector<std::size_t> Table::widths(const Screen& screen) const {
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
  const auto total = [&widths] {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  };
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].fit == Column::Fit::Wrap && total() > screen.width) {
      const std::size_t others = total() - widths[c];
      const std::size_t left = screen.width > others ? screen.width - others : 0;
      widths[c] = std::max(left, std::min(kWrapMin, widths[c]));
    }
  }
  // The widest of the columns that may be cut gives way, one character at a time.
  while (total() > screen.width) {
    std::size_t* widest = nullptr;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].fit == Column::Fit::Cut && widths[c] > kColumnMin &&
          (widest == nullptr || widths[c] > *widest)) {
        widest = &widths[c];
      }
    }
    if (widest == nullptr) {
      break;
    }
    *widest -= 1;
  }
  return widths;
}

std::string Table::text(const Screen& screen) const {
  const std::vector<std::size_t> width = widths(screen);
  std::string text;
  const auto write = [&](const std::vector<std::string>& cells) {
    std::vector<std::string> rest;  // of a wrapped last cell
    std::string line;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      std::string cell = cells[c];
      if (columns_[c].fit == Column::Fit::Wrap && display_width(cell) > width[c]) {
        rest = wrap(cell, width[c]);
        cell = rest.front();
      } else if (columns_[c].fit == Column::Fit::Cut) {
        cell = cut(cell, width[c], screen.utf8);
      }
      const std::size_t space = width[c] - std::min(display_width(cell), width[c]);
      pad(line, columns_[c].right ? space : 0);
      line += cell;
      pad(line, (columns_[c].right ? 0 : space) + kGap);
    }
    trim_end(line);
    text += line + "\n";
    const std::size_t indent =
        std::accumulate(width.begin(), width.end() - 1, kGap * (width.size() - 1));
    for (std::size_t i = 1; i < rest.size(); ++i) {
      text += std::string(indent, ' ') + rest[i] + "\n";
    }
  };

  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
  }
  write(titles);
  std::string rule;
  for (const std::size_t w : width) {
    for (std::size_t i = 0; i < w; ++i) {
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
      write(line.cells);
    }
  }
  return text;
}

}  // namespace juggler
