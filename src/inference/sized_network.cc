#include "inference/sized_network.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace juggler {
namespace {

class SizedNetwork final : public Network {
 public:
  SizedNetwork(std::vector<SizedPart> parts, std::size_t floats)
      : parts_(std::move(parts)), floats_(floats) {}

  int batch_max() const override { return parts_.back().batch; }
  int classes() const override { return parts_.front().network->classes(); }
  bool usable() const override {
    return std::all_of(parts_.begin(), parts_.end(),
                       [](const SizedPart& part) { return part.network->usable(); });
  }

  Result<std::span<const float>> run(std::span<float> input, int batch) override {
    const auto part = std::find_if(parts_.begin(), parts_.end(),
                                   [&](const SizedPart& one) { return one.batch >= batch; });
    JUGGLER_CHECK(part != parts_.end(), "a batch above batch_max");
    if (part->batch == batch) {
      return part->network->run(input, batch);
    }
    filled_.assign(floats_ * static_cast<std::size_t>(part->batch), 0.0F);
    std::copy(input.begin(), input.end(), filled_.begin());
    const Result<std::span<const float>> scores = part->network->run(filled_, part->batch);
    if (!scores) {
      return scores;
    }
    return scores->first(static_cast<std::size_t>(batch) * static_cast<std::size_t>(classes()));
  }

 private:
  std::vector<SizedPart> parts_;
  std::size_t floats_;
  std::vector<float> filled_;
};

}  // namespace

std::unique_ptr<Network> make_sized_network(std::vector<SizedPart> parts, std::size_t floats) {
  JUGGLER_CHECK(!parts.empty(), "a sized network has a size");
  return std::make_unique<SizedNetwork>(std::move(parts), floats);
}

std::vector<int> batch_sizes(int largest) {
  std::vector<int> sizes;
  for (int size = 1; size < largest; size *= 2) {
    sizes.push_back(size);
  }
  sizes.push_back(largest);
  return sizes;
}

}  // namespace juggler
