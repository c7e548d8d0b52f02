#pragma once
// From pixels to a network's input tensor: resize, centre crop and normalisation in one pass over
// the pixels that the crop needs, without a second picture.
//
// The resize is bilinear and antialiased (a triangle as wide as the reduction), with the
// coordinates, sizes and crop of PIL and torchvision's Resize and CenterCrop. They round to 8 bits
// after each direction, this does not: values differ by at most about one 255th.

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"

namespace juggler {

// Height x width x 3 bytes.
struct PixelView {
  const std::uint8_t* pixels = nullptr;
  int width = 0;
  int height = 0;
};

// Fills `tensor`, 3 x input.height x input.width floats. Keeps its tables and rows for the next
// picture of the same size.
//
// thread  one at a time
class Preprocessor {
 public:
  void run(const PixelView& picture, const InputSpec& input, std::span<float> tensor);

 private:
  // The source pixels that make one output pixel: `count` of them from `first`, weighted.
  struct Span {
    int first = 0;
    int count = 0;
    std::size_t weights = 0;  // index of the first weight
  };
  // All output pixels of one direction.
  struct Axis {
    std::vector<Span> spans;
    std::vector<float> weights;
    int first = 0;  // source pixels that any span needs: [first, end)
    int end = 0;
    // What it was made for.
    int source = 0;
    int resized = 0;
    int cropped = 0;
  };
  struct AxisSizes {
    int source = 0;
    int resized = 0;
    int cropped = 0;
  };

  static void prepare(Axis& axis, const AxisSizes& sizes);

  Axis columns_;
  Axis rows_;
  std::vector<float> blended_;  // one output row at the source's width
};

}  // namespace juggler
