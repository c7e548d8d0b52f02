#pragma once
// The table of published accuracies, `variants.toml` beside the board profiles: what the variants
// of simulated boards are where no model files lie. A machine with models has its catalogue.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"

namespace juggler {

class VariantTable {
 public:
  // errors  file, line and reason
  static Result<VariantTable> load(const std::filesystem::path& file);
  static Result<VariantTable> parse(std::string_view text, const std::string& origin);
  // That of the first profile folder that has one.
  static Result<VariantTable> installed(const std::filesystem::path& home);

  // Sorted by id.
  const std::vector<Variant>& variants() const { return variants_; }
  const Variant* find(std::string_view id) const;

 private:
  std::vector<Variant> variants_;
};

}  // namespace juggler
