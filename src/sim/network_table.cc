#include "sim/network_table.h"

#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "files/data_folders.h"

namespace juggler {
namespace {

constexpr double kMillisecondsMax = 10'000.0;
constexpr std::int64_t kBandwidthMax = 100'000'000;  // 100 Gbit/s

Micros micros(double milliseconds) { return {std::llround(milliseconds * 1000.0)}; }

NetworkProfile read_network(TomlSection& section) {
  NetworkProfile network;
  network.name = section.text("name");
  network.rtt = micros(section.number("rtt_ms", {0.0, kMillisecondsMax}));
  network.jitter = micros(section.maybe_number("jitter_ms", {0.0, kMillisecondsMax}).value_or(0.0));
  network.bandwidth_kbits =
      section.maybe_integer("bandwidth_kbits", {1, kBandwidthMax}).value_or(0);
  network.loss_ppm =
      std::llround(section.maybe_number("loss_percent", {0.0, 50.0}).value_or(0.0) * 10'000.0);
  const std::string kind = section.text_or("kind", "assumed");
  if (!parse_evidence(kind).has_value()) {
    section.refuse("kind", "'" + kind +
                               "' is not one of: measured, published, derived, "
                               "estimated, assumed");
  }
  network.source = kind + ": " + section.text_or("source", "not said");
  section.refuse_unknown();
  return network;
}

Result<NetworkTable> read_table(TomlDocument& document) {
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  NetworkTable table;
  read_networks(root, table);
  root.refuse_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  return table;
}

}  // namespace

void read_networks(TomlSection& root, NetworkTable& table) {
  std::set<std::string> names;
  for (TomlSection& section : root.sections("network", kNetworksMax)) {
    NetworkProfile network = read_network(section);
    if (!names.insert(network.name).second) {
      section.refuse("name", "'" + network.name + "' is there twice");
    }
    table[network.name] = std::move(network);
  }
}

Result<NetworkTable> parse_network_table(std::string_view text, const std::string& origin) {
  const Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  return document ? read_table(**document) : Result<NetworkTable>(document.error());
}

Result<NetworkTable> find_network_table(const std::filesystem::path& home) {
  const Result<std::filesystem::path> file = find_profile_file(kNetworkTable, home);
  if (!file) {
    return file.error();
  }
  const Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(*file);
  return document ? read_table(**document) : Result<NetworkTable>(document.error());
}

}  // namespace juggler
