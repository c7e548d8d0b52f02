#include "inference/top_labels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace juggler {

std::vector<Label> top_labels(std::span<const float> scores, OutputKind kind, int top_k,
                              std::span<const std::string> names) {
  if (scores.empty() ||
      !std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); })) {
    return {};
  }
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](int index) { return scores[static_cast<std::size_t>(index)]; };
  const auto better = [&](int a, int b) {
    return score(a) != score(b) ? score(a) > score(b) : a < b;
  };
  const auto count = static_cast<std::size_t>(
      std::clamp(top_k, 1, static_cast<int>(std::min<std::size_t>(scores.size(), kTopKMax))));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    better);
  double total = 0.0;
  const double best = score(order[0]);
  if (kind == OutputKind::Logits) {
    for (const float s : scores) {
      total += std::exp(static_cast<double>(s) - best);
    }
  }
  std::vector<Label> labels;
  labels.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const int index = order[i];
    const double raw = score(index);
    const auto at = static_cast<std::size_t>(index);
    labels.push_back({index, at < names.size() ? names[at] : std::string(),
                      kind == OutputKind::Logits ? std::exp(raw - best) / total : raw});
  }
  return labels;
}

}  // namespace juggler
