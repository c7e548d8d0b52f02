#pragma once
// The flags of `juggler controller`, for the command itself and for who starts one and wants to
// know first whether its configuration file can be read.

#include <cstdint>
#include <optional>
#include <string>

#include "apps/flags.h"

namespace juggler {

struct ControllerFlags {
  BrokerChoice broker{.use = BrokerUse::Daemon};
  std::string policy = "juggler";
  std::string auto_model;
  bool allow_synthetic = false;
  std::optional<MilliPercent> min_accuracy;
  std::optional<Micros> deadline;
  std::optional<Microjoules> max_energy;
  std::optional<Milliwatts> power_max;
  std::optional<int> attempts_max;
  std::optional<std::uint64_t> seed;
  std::string journal;
  std::optional<Bytes> journal_max;
  bool standby = false;
  std::string config;
  std::string log_level = "info";
  bool json = false;
};

void declare_controller_flags(CLI::App& app, ControllerFlags& flags);

// What the file alone says, the rest by default: every key and value is checked as at the start of
// a controller, and nothing is started.
//
// errors  file, line and key; a policy or a level of the log that there is not
Result<ControllerFlags> read_controller_config(const std::string& file);

}  // namespace juggler
