// Fuzzes the readers of files that set programs up and that no other target has: the first byte
// chooses one. What they accept must hold what they promise.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <spdlog/spdlog.h>

#include "amqp/node_files.h"
#include "core/check.h"
#include "evaluation/demand_file.h"
#include "evaluation/evaluation_file.h"
#include "files/lanes_file.h"
#include "inference/calibration_file.h"
#include "sim/network_table.h"
#include "telemetry/estimate_meter.h"

namespace {

using namespace juggler;  // NOLINT(google-build-using-namespace): one target

void read_lanes(std::string_view text) {
  if (const auto lanes = parse_lanes(text, "lanes.toml")) {
    JUGGLER_CHECK(!lanes->empty() && lanes->size() <= kLanesMax, "lanes beyond their bounds");
    for (const LaneSpec& lane : *lanes) {
      JUGGLER_CHECK(!lane.processor.empty(), "a lane without a name");
      JUGGLER_CHECK(lane.batch_max >= 0 && lane.threads >= 0 && lane.gpu >= 0, "less than none");
      JUGGLER_CHECK(lane.memory_max >= Bytes{0}, "negative memory");
    }
  }
}

void read_network_table(std::string_view text) {
  if (const auto table = parse_network_table(text, "networks.toml")) {
    JUGGLER_CHECK(table->size() <= kNetworksMax, "more networks than there may be");
    for (const auto& [name, network] : *table) {
      JUGGLER_CHECK(name == network.name, "a network under another's name");
      JUGGLER_CHECK(network.rtt >= Micros{0} && network.jitter >= Micros{0}, "faster than at once");
      JUGGLER_CHECK(network.bandwidth_kbits >= 0, "a network that carries less than nothing");
      JUGGLER_CHECK(network.loss_ppm >= 0 && network.loss_ppm <= 1'000'000, "a share");
    }
  }
}

// The scenario of a demand without its offers must be readable where the file was, and the fleet
// that has none of any board is one without devices: refused, and not crashed over.
void read_demand(std::string_view text) {
  if (const auto demand = evaluation::parse_demand(text, "demand.toml")) {
    JUGGLER_CHECK(!demand->offers.empty() && demand->offers.size() <= evaluation::kOffersMax,
                  "offers beyond their bounds");
    const std::vector<std::int64_t> none(demand->offers.size(), 0);
    static_cast<void>(evaluation::scenario_of(*demand, none, "/nonexistent"));
  }
}

void read_evaluation(std::string_view text) {
  if (const auto evaluation = evaluation::parse_evaluation(text, "e.toml")) {
    JUGGLER_CHECK(
        !evaluation->cases.empty() && evaluation->cases.size() <= evaluation::kEvaluationCasesMax,
        "cases beyond their bounds");
    for (const evaluation::EvaluationCase& one : evaluation->cases) {
      JUGGLER_CHECK(!one.scenarios.empty() && !one.contenders.empty(), "a case without a contest");
    }
  }
}

void read_calibration(std::string_view text) {
  if (const auto calibration = parse_calibration(text, "device-x.toml")) {
    for (const Profile& profile : calibration->profiles) {
      JUGGLER_CHECK(calibration->find(profile.variant) == &profile, "a profile that is not found");
    }
  }
}

void read_load_model(std::string_view text) {
  if (const auto model = parse_load_model(text, "load.toml")) {
    JUGGLER_CHECK(model->at_rest >= Milliwatts{0} && model->per_load >= Milliwatts{0},
                  "a machine that gives power back");
  }
}

void read_broker_record(std::string_view text) {
  if (const auto record = amqp::parse_record(text)) {
    for (const amqp::User& user : record->others) {
      JUGGLER_CHECK(!user.name.empty(), "a user without a name");
    }
    static_cast<void>(amqp::users_of(*record));
  }
}

struct Reader {
  char first;
  void (*read)(std::string_view text);
};
constexpr Reader kReaders[] = {
    {'b', read_broker_record}, {'c', read_calibration}, {'d', read_demand},
    {'e', read_evaluation},    {'l', read_lanes},       {'m', read_load_model},
    {'n', read_network_table},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (spdlog::set_level(spdlog::level::off), true);
  static_cast<void>(quiet);
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const Reader& reader : kReaders) {
    if (reader.first == static_cast<char>(data[0])) {
      reader.read(text);
    }
  }
  return 0;
}
