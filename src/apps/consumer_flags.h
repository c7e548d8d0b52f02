#pragma once
// The flags of juggler-consumer, and the device that they mean.

#include <optional>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "inference/local_device.h"

namespace juggler {

struct ConsumerFlags {
  BrokerChoice broker{.use = BrokerUse::Daemon};
  std::string id;
  std::string engine = "onnx";
  std::string twin;
  std::string twin_labels;
  std::string twin_facts;
  std::string threads = "auto";
  std::vector<std::string> variants;
  std::string lanes;
  std::optional<Micros> calibrate_max;
  bool no_preload = false;
  std::optional<Bytes> models_max;
  bool no_fetch = false;
  std::string host_root = "/";
  std::string meter = "auto";
  std::optional<Milliwatts> power_max;
  std::optional<MilliPercent> battery_min;
  std::uint64_t seed = 1;
  std::string config;
  std::string log_level = "info";
};

void declare_consumer_flags(CLI::App& app, ConsumerFlags& flags);

// Flags of one engine that were given for another: to leave them out would serve something else
// than what was asked for. Chooses the engine where --twin alone says which.
Result<void> check_engine(const CLI::App& app, ConsumerFlags& flags);

// A board's name and how many twins of it: KIND or KIND:N.
struct TwinCount {
  std::string kind;
  int count = 1;
  bool many = false;  // a number was given: the names of the twins are numbered
};
inline constexpr int kTwinsInProcessMax = 1'000;
// errors  InvalidArgument: the number is not 1 to kTwinsInProcessMax
Result<TwinCount> parse_twin_count(const std::string& text);

Result<LocalDevice> open_device(const ConsumerFlags& flags);

}  // namespace juggler
