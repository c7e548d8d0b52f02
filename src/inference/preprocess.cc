#include "inference/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"

namespace juggler {
namespace {

// Four floats that the compiler keeps in one vector register: red, green, blue and a spare.
using Pixel = std::array<float, 4>;

// blended[i] (+)= weight * source[i]: contiguous in both, so that it vectorises.
void blend_row(std::span<float> blended, const std::uint8_t* source, float weight, bool first) {
  float* out = blended.data();
  const std::size_t count = blended.size();
  if (first) {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = weight * static_cast<float>(source[i]);
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] += weight * static_cast<float>(source[i]);
    }
  }
}

// Two rows at once halves the passes over `blended`; most output rows have two or more.
void blend_two_rows(std::span<float> blended, const std::uint8_t* upper, const std::uint8_t* lower,
                    std::array<float, 2> weights, bool first) {
  float* out = blended.data();
  const std::size_t count = blended.size();
  if (first) {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] =
          weights[0] * static_cast<float>(upper[i]) + weights[1] * static_cast<float>(lower[i]);
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] +=
          weights[0] * static_cast<float>(upper[i]) + weights[1] * static_cast<float>(lower[i]);
    }
  }
}

// The weighted sum of `count` neighbouring pixels. Reads one float past the last pixel.
Pixel weigh(const float* pixels, const float* weights, int count) {
  Pixel sum{};
  for (int k = 0; k < count; ++k) {
    for (std::size_t c = 0; c < 4; ++c) {
      sum[c] += weights[k] * pixels[c];
    }
    pixels += 3;
  }
  return sum;
}

}  // namespace

// The coefficients of a triangle filter as wide as the reduction (never narrower than one pixel),
// centred as PIL centres it, for the output pixels inside the crop.
void Preprocessor::prepare(Axis& axis, const AxisSizes& sizes) {
  if (axis.source == sizes.source && axis.resized == sizes.resized &&
      axis.cropped == sizes.cropped) {
    return;
  }
  const double scale = static_cast<double>(sizes.source) / sizes.resized;
  const double reach = std::max(scale, 1.0);
  // torchvision rounds the half to even, as lrint does.
  const auto offset = static_cast<int>(std::lrint((sizes.resized - sizes.cropped) / 2.0));
  axis.spans.clear();
  axis.weights.clear();
  axis.first = sizes.source;
  axis.end = 0;
  for (int i = 0; i < sizes.cropped; ++i) {
    const double centre = (i + offset + 0.5) * scale;
    const int first = std::max(static_cast<int>(std::lround(centre - reach)), 0);
    const int end = std::min(static_cast<int>(std::lround(centre + reach)), sizes.source);
    const Span span{first, end - first, axis.weights.size()};
    double total = 0.0;
    for (int x = first; x < end; ++x) {
      total += std::max(0.0, 1.0 - std::abs((x - centre + 0.5) / reach));
    }
    for (int x = first; x < end; ++x) {
      const double weight = std::max(0.0, 1.0 - std::abs((x - centre + 0.5) / reach));
      axis.weights.push_back(static_cast<float>(weight / total));
    }
    axis.spans.push_back(span);
    axis.first = std::min(axis.first, first);
    axis.end = std::max(axis.end, end);
  }
  axis.source = sizes.source;
  axis.resized = sizes.resized;
  axis.cropped = sizes.cropped;
}

void Preprocessor::run(const PixelView& picture, const InputSpec& input, std::span<float> tensor) {
  JUGGLER_CHECK(tensor.size() == input.floats(), "tensor of another size");
  JUGGLER_CHECK(picture.width > 0 && picture.height > 0, "empty picture");
  // The longer side is cut off to a whole number, as torchvision does.
  const int shorter = std::min(picture.width, picture.height);
  const auto resized = [&](int side) {
    return static_cast<int>(static_cast<std::int64_t>(side) * input.resize_shorter_px / shorter);
  };
  prepare(columns_, {picture.width, resized(picture.width), input.width});
  prepare(rows_, {picture.height, resized(picture.height), input.height});

  std::array<float, 3> gain{};
  std::array<float, 3> bias{};
  for (std::size_t c = 0; c < 3; ++c) {
    gain[c] = 1.0F / (255.0F * input.stddev[c]);
    bias[c] = -input.mean[c] / input.stddev[c];
  }
  const auto needed = static_cast<std::size_t>(columns_.end - columns_.first) * 3;
  blended_.resize(needed + 1);
  const std::span<float> blended(blended_.data(), needed);
  const std::size_t stride = static_cast<std::size_t>(picture.width) * 3;
  const std::uint8_t* left = picture.pixels + static_cast<std::size_t>(columns_.first) * 3;
  const std::size_t plane =
      static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height);
  float* out = tensor.data();

  for (const Span& row : rows_.spans) {
    const std::uint8_t* source = left + static_cast<std::size_t>(row.first) * stride;
    const float* weight = rows_.weights.data() + row.weights;
    int k = 0;
    for (; k + 1 < row.count; k += 2) {
      blend_two_rows(blended, source, source + stride, {weight[k], weight[k + 1]}, k == 0);
      source += 2 * stride;
    }
    if (k < row.count) {
      blend_row(blended, source, weight[k], k == 0);
    }
    for (const Span& column : columns_.spans) {
      const Pixel sum =
          weigh(blended.data() + static_cast<std::size_t>(column.first - columns_.first) * 3,
                columns_.weights.data() + column.weights, column.count);
      out[0] = sum[0] * gain[0] + bias[0];
      out[plane] = sum[1] * gain[1] + bias[1];
      out[2 * plane] = sum[2] * gain[2] + bias[2];
      ++out;
    }
  }
}

}  // namespace juggler
