#pragma once
// [[processor.beside]] of a profile: how much longer a processor's batches take while another one
// of the board computes, as `juggler profile` has measured it (docs/measuring.md).

#include <cstdint>
#include <string>
#include <vector>

#include "core/device.h"
#include "files/toml_reader.h"

namespace juggler {

struct MeasuredSlowdown {
  std::string by;             // the other processor
  std::int64_t permille = 0;  // of the time alone
  std::int64_t low = 0;       // the 95 % interval of that
  std::int64_t high = 0;
  std::string variant;         // measured with this one here
  std::string beside_variant;  // and this one there
  int samples = 0;             // runs beside the other

  friend bool operator==(const MeasuredSlowdown&, const MeasuredSlowdown&) = default;
};

// Those of one [[processor]], sorted by the other's id. A mistake is the document's error.
std::vector<MeasuredSlowdown> read_slowdowns(TomlSection& processor);
// As rows that follow the keys of their [[processor]].
std::string slowdown_text(const MeasuredSlowdown& slowdown, const std::string& source);

// What a hello says of them: within its bounds, since a time beside another is no shorter than
// alone but by chance.
std::vector<Slowdown> announced_slowdowns(const std::vector<MeasuredSlowdown>& measured);

}  // namespace juggler
