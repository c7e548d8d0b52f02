#pragma once
// Flags that several commands share, and configuration files that stand for flags.

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "apps/places.h"
#include "core/result.h"
#include "core/task.h"

namespace juggler {

// Exit statuses of all commands; docs/cli.md lists them.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;       // a task was not completed, a check failed
inline constexpr int kExitUsage = 2;        // flags or files that say something impossible
inline constexpr int kExitUnreachable = 3;  // no broker or no controller

// Set by the subcommand that was given; run after all flags were read.
using Action = std::function<int()>;

// Options of one kind of quantity; a number without its unit is refused with what to write.
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::optional<Micros>& value,
                          const std::string& help);
CLI::Option* add_energy(CLI::App& app, const std::string& name, std::optional<Microjoules>& value,
                        const std::string& help);
CLI::Option* add_power(CLI::App& app, const std::string& name, std::optional<Milliwatts>& value,
                       const std::string& help);
CLI::Option* add_percent(CLI::App& app, const std::string& name, std::optional<MilliPercent>& value,
                         const std::string& help);
CLI::Option* add_size(CLI::App& app, const std::string& name, std::optional<Bytes>& value,
                      const std::string& help);

// --broker, --broker-file, --home.
void add_broker_flags(CLI::App& app, BrokerChoice& choice);
// An address that is given by a flag holds no password: every process on the machine can read a
// command line, and files of flags are rarely private.
void refuse_password(CLI::Option& address);

// --host-root: where a container has its host's / mounted.
void add_host_root(CLI::App& app, std::string& folder);

// --config: a TOML file whose keys are the command's long flags, without their dashes. A flag on
// the command line wins.
void add_config_flag(CLI::App& app, std::string& file);
// Applies the file to the options that were not given.
//
// errors  file, line and key
Result<void> apply_config(CLI::App& app, const std::string& file);
Result<void> apply_config_text(CLI::App& app, std::string_view text, const std::string& file);

// Prints "juggler: <message>" to stderr and returns `status`.
int complain(const std::string& message, int status);

// Parses and runs `action`; the exit status of the program. Output that could not be written makes
// a status 0 a 1.
int run_app(CLI::App& app, int argc, char** argv, const Action& action);

// An example under a command's help.
std::string examples(std::initializer_list<std::string> lines);

}  // namespace juggler
