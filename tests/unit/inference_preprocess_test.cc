// Preprocessing against a plain implementation of the same definition, slow and in doubles.

#include "inference/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rng.h"

namespace juggler {
namespace {

struct Source {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  PixelView view() const { return {pixels.data(), width, height}; }
  double at(int x, int y, int c) const {
    return pixels[static_cast<std::size_t>((y * width + x) * 3 + c)];
  }
};

Source noise(int width, int height) {
  Source source{width, height, {}};
  Rng rng(static_cast<std::uint64_t>(width * 10'000 + height));
  for (int i = 0; i < width * height * 3; ++i) {
    source.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
  }
  return source;
}

InputSpec spec(int width, int height, int shorter) {
  InputSpec input;
  input.width = width;
  input.height = height;
  input.resize_shorter_px = shorter;
  input.mean = {0.485F, 0.456F, 0.406F};
  input.stddev = {0.229F, 0.224F, 0.225F};
  return input;
}

// The triangle around `centre` in source pixels, as PIL's BILINEAR defines it.
std::vector<double> weights(double centre, double reach, int size) {
  std::vector<double> all(static_cast<std::size_t>(size), 0.0);
  const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
  const int end = std::min(size, static_cast<int>(centre + reach + 0.5));
  double total = 0.0;
  for (int x = first; x < end; ++x) {
    const double weight = std::max(0.0, 1.0 - std::abs((x + 0.5 - centre) / reach));
    all[static_cast<std::size_t>(x)] = weight;
    total += weight;
  }
  for (double& weight : all) {
    weight /= total;
  }
  return all;
}

// Every output pixel from every source pixel.
std::vector<float> reference(const Source& source, const InputSpec& input) {
  const int shorter = std::min(source.width, source.height);
  const int resized_width = source.width * input.resize_shorter_px / shorter;
  const int resized_height = source.height * input.resize_shorter_px / shorter;
  const int left = static_cast<int>(std::nearbyint((resized_width - input.width) / 2.0));
  const int top = static_cast<int>(std::nearbyint((resized_height - input.height) / 2.0));
  const double scale_x = static_cast<double>(source.width) / resized_width;
  const double scale_y = static_cast<double>(source.height) / resized_height;
  std::vector<float> tensor;
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < input.height; ++y) {
      const auto wy = weights((y + top + 0.5) * scale_y, std::max(1.0, scale_y), source.height);
      for (int x = 0; x < input.width; ++x) {
        const auto wx = weights((x + left + 0.5) * scale_x, std::max(1.0, scale_x), source.width);
        double sum = 0.0;
        for (int sy = 0; sy < source.height; ++sy) {
          if (wy[static_cast<std::size_t>(sy)] == 0.0) {
            continue;
          }
          for (int sx = 0; sx < source.width; ++sx) {
            sum += wy[static_cast<std::size_t>(sy)] * wx[static_cast<std::size_t>(sx)] *
                   source.at(sx, sy, c);
          }
        }
        const auto channel = static_cast<std::size_t>(c);
        tensor.push_back(
            static_cast<float>((sum / 255.0 - input.mean[channel]) / input.stddev[channel]));
      }
    }
  }
  return tensor;
}

double worst_difference(const Source& source, const InputSpec& input) {
  std::vector<float> tensor(input.floats());
  Preprocessor preprocessor;
  preprocessor.run(source.view(), input, tensor);
  const std::vector<float> wanted = reference(source, input);
  double worst = 0.0;
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(tensor[i] - wanted[i])));
  }
  return worst;
}

// A tenth of the step between two 8-bit values.
constexpr double kTolerance = 0.1 / 255.0;

TEST(Preprocess, Landscape_EqualsReference) {
  EXPECT_LT(worst_difference(noise(97, 61), spec(28, 28, 32)), kTolerance);
}

TEST(Preprocess, Portrait_EqualsReference) {
  EXPECT_LT(worst_difference(noise(45, 90), spec(28, 28, 32)), kTolerance);
}

TEST(Preprocess, Enlarged_EqualsReference) {
  EXPECT_LT(worst_difference(noise(11, 9), spec(28, 28, 32)), kTolerance);
}

TEST(Preprocess, SameSize_IsOnlyNormalised) {
  EXPECT_LT(worst_difference(noise(32, 32), spec(32, 32, 32)), kTolerance);
}

TEST(Preprocess, NotSquareInput_EqualsReference) {
  EXPECT_LT(worst_difference(noise(70, 50), spec(30, 20, 30)), kTolerance);
}

TEST(Preprocess, OnePixel_FillsTheTensor) {
  EXPECT_LT(worst_difference(noise(1, 1), spec(8, 8, 8)), kTolerance);
}

TEST(Preprocess, Panorama_EqualsReference) {
  EXPECT_LT(worst_difference(noise(400, 3), spec(8, 8, 8)), kTolerance);
}

TEST(Preprocess, SizesInTurn_DoNotDisturbEachOther) {
  const InputSpec input = spec(16, 16, 18);
  const Source first = noise(50, 40);
  const Source second = noise(23, 60);
  Preprocessor preprocessor;
  std::vector<float> tensor(input.floats());
  preprocessor.run(first.view(), input, tensor);
  const std::vector<float> alone = tensor;
  preprocessor.run(second.view(), input, tensor);
  preprocessor.run(first.view(), input, tensor);
  EXPECT_EQ(tensor, alone);
}

}  // namespace
}  // namespace juggler
