#pragma once
// Where things are on this machine: the home of models and state, and the broker that a command
// shall talk to when nobody says which.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "amqp/session.h"
#include "core/result.h"

namespace juggler {

// --home, else $JUGGLER_HOME, else $XDG_DATA_HOME/juggler, else ~/.local/share/juggler. Absolute.
std::filesystem::path home_folder(const std::string& flag);

// What the last `juggler up` left for other commands of the same person.
struct Running {
  std::filesystem::path home;
  std::int64_t pid = 0;
  std::string broker;  // only where `up` was given one; it may hold a password
};

// $XDG_STATE_HOME/juggler/up.json, else ~/.local/state/juggler/up.json; readable by its owner
// alone. Of several that run the last one counts; the earlier are kept beneath it.
Result<void> write_running(const Running& running);
// Only its own: another one that runs counts again.
void remove_running(std::int64_t pid);
// Nothing where no `up` runs.
std::optional<Running> find_running();

enum class BrokerUse {
  Client,
  Daemon,  // joins only a broker that was named: never a fleet that happens to run
};

struct BrokerChoice {
  std::string broker{};       // --broker
  std::string broker_file{};  // --broker-file: a file whose first line is the address
  std::string home{};         // --home
  BrokerUse use = BrokerUse::Client;
};

// The broker's address: --broker, --broker-file, the systemd credential `broker` (a file of that
// name in $CREDENTIALS_DIRECTORY), $JUGGLER_BROKER. For clients also the private broker that runs
// in the home and, where no --home was given, that of the last `juggler up`.
//
// errors  NotFound, saying what was looked at and what to do
Result<std::string> find_broker(const BrokerChoice& choice);

// The same, read: what a daemon asks again before it connects again.
Result<amqp::BrokerUrl> read_broker(const BrokerChoice& choice);

// What systemd's LoadCredential=NAME:FILE hands on; empty where it does not.
std::string credential_file(const std::string& name);

// Where `juggler serve` listens unless told otherwise; the port is the usual one of the Open
// Inference Protocol.
inline constexpr const char* kHttpListenDefault = "127.0.0.1:8000";

// A whole file of at most `size_max` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::uintmax_t size_max);

}  // namespace juggler
