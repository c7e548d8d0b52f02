#include "apps/explain_reason.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/json_fields.h"
#include "apps/quantities.h"

namespace juggler {
namespace {

using nlohmann::json;

std::int64_t amount(const json& candidate, const char* name) {
  return integer_of(candidate, name).value_or(0);
}

// One candidate beside the chosen one. Differences are positive where it is the worse.
struct Comparison {
  const json& candidate;
  const json& chosen;

  std::int64_t more(const char* name) const {
    return amount(candidate, name) - amount(chosen, name);
  }
  double points_less() const {
    return number_of(chosen, "accuracy_percent").value_or(0) -
           number_of(candidate, "accuracy_percent").value_or(0);
  }
  bool energy_unknown() const {
    return !integer_of(candidate, "energy_uj_board_input").has_value() &&
           integer_of(chosen, "energy_uj_board_input").has_value();
  }
};

// Where all that the policy compares is equal.
constexpr const char* kEqual = "equal; the first by name was taken";

std::string later_or_equal(const Comparison& by) {
  const std::int64_t later = by.more("finish_us");
  return later > 0 ? show(Micros{later}) + " later" : kEqual;
}

std::string more_energy(const Comparison& by) {
  const auto energy = static_cast<double>(amount(by.candidate, "energy_uj_board_input"));
  const auto least = static_cast<double>(amount(by.chosen, "energy_uj_board_input"));
  if (least > 0 && energy / least >= 1.05) {  // less would read as "1.0x energy"
    return fmt::format("{:.1f}x energy", energy / least);
  }
  return show(Microjoules{by.more("energy_uj_board_input")}) + " more energy";
}

std::string more_waiting(const Comparison& by) {
  const std::int64_t later = by.more("finish_us");
  const std::int64_t rate_mw = later > 0 ? (by.more("waiting_uj") * 1000 + later / 2) / later : 0;
  return fmt::format("{} later at {} mW", show(Micros{later}), rate_mw);
}

std::string less_accuracy(const Comparison& by) {
  return fmt::format("{:.1f} points less accurate, worth {}", by.points_less(),
                     show(Microjoules{by.more("accuracy_uj")}));
}

// `juggler` adds up energy, what its goal weighs beside it, and the price of the processor's time:
// what of these speaks most against the candidate, and whether energy spoke for it.
std::string by_cost(const Comparison& by) {
  if (by.energy_unknown()) {
    return "energy unknown";
  }
  const std::int64_t waiting = by.more("waiting_uj");
  const std::int64_t accuracy = by.more("accuracy_uj");
  const std::int64_t price = by.more("price_uj");
  const std::int64_t energy = by.more("cost_uj") - waiting - accuracy;  // 0 where it does not count
  const std::int64_t worst = std::max({energy, waiting, accuracy, price});
  if (energy + waiting + accuracy + price <= 0) {
    const bool earlier = by.more("finish_us") <= 0;
    return earlier && by.points_less() > 0 ? "costs the same, less accurate"
           : earlier                       ? kEqual
                                           : "costs the same, " + later_or_equal(by);
  }
  if (worst == energy) {
    return more_energy(by);
  }
  const std::string but = energy < 0 ? "less energy, but " : "";
  if (worst == price) {
    return fmt::format("{}its time is worth {} more to others", but, show(Microjoules{price}));
  }
  return but + (worst == waiting ? more_waiting(by) : less_accuracy(by));
}

std::string by_energy(const Comparison& by) {
  if (by.energy_unknown()) {
    return "energy unknown";
  }
  return by.more("energy_uj_board_input") > 0 ? more_energy(by) : later_or_equal(by);
}

std::string by_load(const Comparison& by) {
  if (by.more("tasks_before") > 0) {
    return fmt::format("{} before it, not {}", amount(by.candidate, "tasks_before"),
                       amount(by.chosen, "tasks_before"));
  }
  return later_or_equal(by);
}

constexpr std::string_view kSingleVariant = "single-variant:";

std::string by_variant(const Comparison& by, const std::string& wanted) {
  const std::string variant = text_of(by.candidate, "variant");
  const bool ours = variant == wanted || variant.rfind(wanted + "-", 0) == 0;  // or its network
  return ours ? later_or_equal(by) : "another variant";
}

}  // namespace

std::string reason_against(const json& candidate, const json& chosen, const std::string& policy) {
  const Comparison by{candidate, chosen};
  if (policy.rfind("juggler-no-variants", 0) == 0 && by.points_less() > 0) {
    return "less accurate";
  }
  if (policy == "juggler" || policy.rfind("juggler-no-", 0) == 0 ||
      policy.rfind("juggler@", 0) == 0) {
    return by_cost(by);
  }
  if (policy == "least-energy") {
    return by_energy(by);
  }
  if (policy == "fastest-finish") {
    return later_or_equal(by);
  }
  if (policy == "most-accurate") {
    return by.points_less() > 0 ? "less accurate" : later_or_equal(by);
  }
  if (policy == "least-loaded") {
    return by_load(by);
  }
  if (policy.rfind(kSingleVariant, 0) == 0) {
    return by_variant(by, policy.substr(kSingleVariant.size()));
  }
  return "the rule chose another";
}

}  // namespace juggler
