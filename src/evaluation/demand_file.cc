#include "evaluation/demand_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "evaluation/demand.h"
#include "files/toml_reader.h"
#include "sim/scenario_file.h"
#include "sim/workload.h"

namespace juggler::evaluation {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// The table that begins in this line: its name without brackets; empty where none does. Not by
// std::regex, which recurses once for each character.
std::string_view table_header(std::string_view line) {
  line = trimmed(line);
  const std::size_t end = line.find(']');
  if (!line.starts_with('[') || end == std::string_view::npos) {
    return {};
  }
  const std::string_view after =
      trimmed(line.substr(end + (line.substr(end).starts_with("]]") ? 2 : 1)));
  const std::string_view name = trimmed(line.substr(0, end).substr(line.starts_with("[[") ? 2 : 1));
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
  return plain && (after.empty() || after.starts_with('#')) ? name : std::string_view();
}

// What is not a scenario's: its lines become empty, so that messages name the right ones.
std::string without_offers(std::string_view text) {
  std::string kept;
  bool ours = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (const std::string_view table = table_header(line); !table.empty()) {
      ours = table == "offer" || table == "plan";
    }
    kept.append(ours ? std::string_view() : line).append("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return kept;
}

OfferedBoard read_offer(TomlSection& section) {
  OfferedBoard offer;
  offer.board = section.text("board");
  offer.network = section.text_or("network", "lan");
  offer.price = section.number("price", {0.0, 1e9});
  offer.count_min = section.maybe_integer("count_min", {0, 4096}).value_or(0);
  offer.count_max = section.maybe_integer("count_max", {1, 4096}).value_or(100);
  offer.variants = section.texts("variants", 256);
  section.refuse_unknown();
  return offer;
}

void read_terms(TomlSection& section, bounds::PlanTerms& terms) {
  terms.utilisation_max =
      section.maybe_number("utilisation_max", {0.05, 1.0}).value_or(terms.utilisation_max);
  terms.years = section.maybe_number("years", {0.0, 100.0}).value_or(terms.years);
  terms.price_per_kwh =
      section.maybe_number("price_per_kwh", {0.0, 1000.0}).value_or(terms.price_per_kwh);
  section.refuse_unknown();
}

std::string device_text(const OfferedBoard& offer, std::size_t index, std::int64_t count) {
  std::string text = fmt::format(
      "\n[[device]]\nboard = {}\nid = {}\ncount = {}\nnetwork = {}\n", toml_quoted(offer.board),
      toml_quoted(fmt::format("{}-{}", offer.board, index + 1)), count, toml_quoted(offer.network));
  if (!offer.variants.empty()) {
    text += "variants = [";
    for (const std::string& variant : offer.variants) {
      text += toml_quoted(variant) + ", ";
    }
    text += "]\n";
  }
  return text;
}

}  // namespace

Result<DemandFile> load_demand(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  std::string text(kTomlBytesMax + 1, '\0');  // one more, so that it is refused
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_demand(text, file.string());
}

Result<DemandFile> parse_demand(std::string_view text, const std::string& origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  if (!document) {
    return document.error();
  }
  DemandFile demand;
  demand.origin = origin;
  demand.scenario_text = without_offers(text);
  TomlSection root = (*document)->root();
  for (TomlSection& section : root.sections("offer", kOffersMax)) {
    demand.offers.push_back(read_offer(section));
  }
  if (demand.offers.empty()) {
    root.refuse("offer", "has no [[offer]]: which boards may be bought?");
  }
  if (root.has("device")) {
    root.refuse("device", "a demand has no devices: offer them");
  }
  if (std::optional<TomlSection> section = root.maybe_section("plan")) {
    read_terms(*section, demand.terms);
  }
  if (Result<void> finished = (*document)->finish(); !finished) {
    return finished.error();
  }
  return demand;
}

Result<Scenario> scenario_of(const DemandFile& demand, const std::vector<std::int64_t>& counts,
                             const std::filesystem::path& home) {
  std::string text = demand.scenario_text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) {
      text += device_text(demand.offers[i], i, counts[i]);
    }
  }
  Result<Scenario> scenario = parse_scenario(text, demand.origin, home);
  if (scenario && needs_capacity(*scenario)) {
    return fail(ErrorCode::InvalidArgument,
                demand.origin +
                    ": a demand needs rate_hz: there is no fleet that a load were a "
                    "share of");
  }
  if (scenario) {
    // Networks are loaded by the first tasks: a fleet is not judged by that.
    scenario->warm_up = std::max(scenario->warm_up, scenario->duration / 10);
  }
  return scenario;
}

Result<bounds::FleetPlan> plan_of(const DemandFile& demand, const bounds::PlanTerms& terms,
                                  const std::filesystem::path& home) {
  std::vector<bounds::BoardOffer> offers;
  std::vector<Scenario> samples;  // one device each; they own the facts
  samples.reserve(demand.offers.size());
  std::vector<bounds::Demand> demands;
  for (std::size_t i = 0; i < demand.offers.size(); ++i) {
    std::vector<std::int64_t> one(demand.offers.size(), 0);
    one[i] = 1;
    Result<Scenario> sample = scenario_of(demand, one, home);
    if (!sample) {
      return sample.error();
    }
    samples.push_back(std::move(*sample));
    const bounds::SupplyDevice device = supply_of(samples.back(), FactsKind::Announced).front();
    const OfferedBoard& offer = demand.offers[i];
    offers.push_back({.facts = device.facts,
                      .network = device.network,
                      .price = offer.price,
                      .count_min = offer.count_min,
                      .count_max = offer.count_max});
  }
  demands = demands_of(samples.front());
  for (std::size_t c = 0; c < demands.size(); ++c) {
    demands[c].rate_hz = mean_hz(samples.front().classes[c].arrivals);
  }
  return bounds::plan_fleet(offers, demands, terms);
}

}  // namespace juggler::evaluation
