#include "core/model.h"

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<Weights>, 2> kWeights{
    {{Weights::Pretrained, "pretrained"}, {Weights::Synthetic, "synthetic"}}};

}  // namespace

bool names_directly(const Variant& variant, std::string_view wanted) {
  return wanted == variant.id || wanted == variant.network;
}

bool answers(const Variant& variant, std::string_view wanted) {
  return wanted == variant.model || names_directly(variant, wanted);
}

std::string_view to_string(Weights weights) { return name_of(kWeights, weights); }
std::optional<Weights> parse_weights(std::string_view name) { return value_of(kWeights, name); }

}  // namespace juggler
