#include "files/nearest_name.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace juggler {
namespace {

constexpr std::size_t kLengthMax = 64;
constexpr std::size_t kListedMax = 40;

// How many letters must be put in, left out or changed (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  wrong = wrong.substr(0, kLengthMax);
  const std::string* nearest = nullptr;
  std::size_t least = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& name : known) {
    const std::string_view whole = std::string_view(name).substr(0, kLengthMax);
    // `rate` for `rate_hz`: what is left out is most often the end. It costs one letter.
    const std::size_t begun = distance(wrong, whole.substr(0, wrong.size())) + 1;
    const std::size_t found = std::min(distance(wrong, whole), begun);
    if (found < least) {
      least = found;
      nearest = &name;
    }
  }
  if (known.empty()) {
    return "None is known.";
  }
  const auto listed =
      known.begin() + static_cast<std::ptrdiff_t>(std::min(known.size(), kListedMax));
  std::string text = nearest != nullptr ? fmt::format("Did you mean '{}'? ", *nearest) : "";
  return text + fmt::format("Known are: {}{}.", fmt::join(known.begin(), listed, ", "),
                            listed == known.end() ? "" : ", …");
}

}  // namespace juggler
