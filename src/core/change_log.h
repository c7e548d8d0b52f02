#pragma once
// Which entries of a table have changed, in order, for readers who keep a copy of the table or an
// index over it. Each reader remembers how far it has read; the log knows no reader.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

namespace juggler {

class ChangeLog {
 public:
  // An entry changes. One that changes twice may be named twice.
  void add(std::uint32_t position) {
    if (std::ssize(positions_) >= kKept * 2) {
      positions_.erase(positions_.begin(), positions_.begin() + kKept);
      dropped_ += static_cast<std::uint64_t>(kKept);
    }
    positions_.push_back(position);
  }
  // Everything changes, and positions may mean other entries than before.
  void add_all() {
    dropped_ = end() + 1;
    positions_.clear();
  }
  // Up to where a reader has read once it has read all.
  std::uint64_t end() const { return dropped_ + positions_.size(); }
  // What has changed since a reader was at `read`; nothing where that is everything, or too long
  // ago to be known. Nobody has read anything at 0.
  std::optional<std::span<const std::uint32_t>> since(std::uint64_t read) const {
    if (read < dropped_) {
      return std::nullopt;
    }
    return std::span(positions_).subspan(static_cast<std::size_t>(read - dropped_));
  }

 private:
  static constexpr std::ptrdiff_t kKept = 2048;
  std::vector<std::uint32_t> positions_;
  std::uint64_t dropped_ = 1;
};

}  // namespace juggler
