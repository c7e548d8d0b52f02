#pragma once
// From a network's scores to the best labels with their probabilities.

#include <span>
#include <string>
#include <vector>

#include "core/task.h"
#include "files/catalogue.h"

namespace juggler {

// The `top_k` highest scores, best first; of equal ones the lower index first. Empty where a score
// is not finite.
std::vector<Label> top_labels(std::span<const float> scores, OutputKind kind, int top_k,
                              std::span<const std::string> names);

}  // namespace juggler
