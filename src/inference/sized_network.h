#pragma once
// One network in several batch sizes, for what is slow to change from one size to another.

#include <memory>
#include <vector>

#include "inference/network.h"

namespace juggler {

struct SizedPart {
  int batch = 1;  // the only size that it is run with
  std::unique_ptr<Network> network;
};

// A batch runs in the smallest part that holds it, filled up with zeros, whose scores are left out;
// larger batches than the largest part come in pieces (Network::batch_max).
//
// requires  one part at least, sizes ascending; `floats` of one picture's tensor
std::unique_ptr<Network> make_sized_network(std::vector<SizedPart> parts, std::size_t floats);

// 1, 2, 4 and so on below `largest`, and `largest`.
std::vector<int> batch_sizes(int largest);

}  // namespace juggler
