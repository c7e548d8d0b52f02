#include "core/evidence.h"

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<Evidence>, 5> kEvidence{{{Evidence::Measured, "measured"},
                                                    {Evidence::Published, "published"},
                                                    {Evidence::Derived, "derived"},
                                                    {Evidence::Estimated, "estimated"},
                                                    {Evidence::Assumed, "assumed"}}};
constexpr std::array<Named<PowerScope>, 5> kScopes{{{PowerScope::ModuleRail, "module-rail"},
                                                    {PowerScope::RailSum, "rail-sum"},
                                                    {PowerScope::BoardInput, "board-input"},
                                                    {PowerScope::Wall, "wall"},
                                                    {PowerScope::Package, "package"}}};

}  // namespace

std::string_view to_string(Evidence evidence) { return name_of(kEvidence, evidence); }
std::string_view to_string(PowerScope scope) { return name_of(kScopes, scope); }
std::optional<Evidence> parse_evidence(std::string_view name) { return value_of(kEvidence, name); }
std::optional<PowerScope> parse_power_scope(std::string_view name) {
  return value_of(kScopes, name);
}

}  // namespace juggler
