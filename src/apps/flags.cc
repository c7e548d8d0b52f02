#include "apps/flags.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "amqp/session.h"
#include "apps/quantities.h"
#include "files/toml_ascii.h"
#include "files/toml_library.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

constexpr std::uintmax_t kConfigMax = 1 << 20;

template <class T>
CLI::Option* add_quantity(CLI::App& app, const std::string& name, std::optional<T>& value,
                          const std::string& help, Result<T> (*parse)(std::string_view),
                          const std::string& type) {
  CLI::Option* option = app.add_option_function<std::string>(
      name,
      [&value, parse, name](const std::string& text) {
        const Result<T> parsed = parse(text);
        if (!parsed) {
          throw CLI::ValidationError(name, parsed.error().message);
        }
        value = *parsed;
      },
      help);
  return option->type_name(type);
}

// A value as it would stand on the command line; empty where it cannot.
std::vector<std::string> words_of(const toml::node& node) {
  std::vector<std::string> words;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) {
      const std::vector<std::string> word = words_of(element);
      words.insert(words.end(), word.begin(), word.end());
    }
  } else if (const auto* text = node.as_string()) {
    words.push_back(text->get());
  } else if (const auto* integer = node.as_integer()) {
    words.push_back(std::to_string(integer->get()));
  } else if (const auto* real = node.as_floating_point()) {
    words.push_back(fmt::format("{}", real->get()));
  } else if (const auto* flag = node.as_boolean()) {
    words.emplace_back(flag->get() ? "true" : "false");
  }
  return words;
}

}  // namespace

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::optional<Micros>& value,
                          const std::string& help) {
  return add_quantity(app, name, value, help, parse_duration, "DURATION");
}

CLI::Option* add_energy(CLI::App& app, const std::string& name, std::optional<Microjoules>& value,
                        const std::string& help) {
  return add_quantity(app, name, value, help, parse_energy, "ENERGY");
}

CLI::Option* add_power(CLI::App& app, const std::string& name, std::optional<Milliwatts>& value,
                       const std::string& help) {
  return add_quantity(app, name, value, help, parse_power, "POWER");
}

CLI::Option* add_percent(CLI::App& app, const std::string& name, std::optional<MilliPercent>& value,
                         const std::string& help) {
  return add_quantity(app, name, value, help, parse_percent, "PERCENT");
}

CLI::Option* add_size(CLI::App& app, const std::string& name, std::optional<Bytes>& value,
                      const std::string& help) {
  return add_quantity(app, name, value, help, parse_size, "SIZE");
}

void refuse_password(CLI::Option& address) {
  address.check(CLI::Validator(
      [](std::string& text) {
        return amqp::holds_password(text)
                   ? std::string(
                         "the address holds a password, and others on this machine can read a "
                         "command line: give it by --broker-file FILE (its first line), by "
                         "$JUGGLER_BROKER, or as the systemd credential 'broker'")
                   : std::string();
      },
      ""));
}

void add_broker_flags(CLI::App& app, BrokerChoice& choice) {
  refuse_password(*app.add_option("--broker", choice.broker,
                                  "Address without a password, amqp[s]://user@host:port/vhost; "
                                  "with one: --broker-file or $JUGGLER_BROKER")
                       ->type_name("URL"));
  app.add_option("--broker-file", choice.broker_file, "A file whose first line is the address")
      ->type_name("FILE");
  app.add_option(
         "--home", choice.home,
         "Folder of models and state; else $JUGGLER_HOME, a checkout's var, ~/.local/share/juggler")
      ->type_name("DIR");
}

void add_host_root(CLI::App& app, std::string& folder) {
  app.add_option("--host-root", folder, "Where the host's / is mounted, in a container")
      ->type_name("DIR");
}

void add_config_flag(CLI::App& app, std::string& file) {
  app.add_option("--config", file,
                 "TOML file with the flags of this command as keys; flags given here win")
      ->type_name("FILE");
}

Result<void> apply_config(CLI::App& app, const std::string& file) {
  if (file.empty()) {
    return {};
  }
  // Not by the parser's own file reading, which takes a folder or a device as an empty text.
  const Result<std::string> text = read_file(file, kConfigMax);
  if (!text) {
    return fail(text.error().code, "no configuration: " + text.error().message);
  }
  return apply_config_text(app, *text, file);
}

Result<void> apply_config_text(CLI::App& app, std::string_view text, const std::string& file) {
  const Result<std::string> ascii = toml_ascii(text, file);
  if (!ascii) {
    return ascii.error();
  }
  const toml::parse_result parsed = toml::parse(*ascii, file);
  if (!parsed) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{}:{}: {}", file, parsed.error().source().begin.line,
                            parsed.error().description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    CLI::Option* option = app.get_option_no_throw("--" + name);
    const std::string where = fmt::format("{}:{}: '{}'", file, node.source().begin.line, name);
    if (option == nullptr || name == "config" || name == "help") {
      return fail(ErrorCode::InvalidArgument, where + " is no flag of this command (see --help)");
    }
    if (option->count() > 0) {
      continue;
    }
    const std::vector<std::string> words = words_of(node);
    if (words.empty()) {
      return fail(ErrorCode::InvalidArgument, where + " has a value that no flag takes");
    }
    try {  // the wrapper of a library that throws
      for (const std::string& word : words) {
        option->add_result(word);
      }
      option->run_callback();
    } catch (const CLI::Error& error) {
      return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", where, error.what()));
    }
  }
  return {};
}

int complain(const std::string& message, int status) {
  fmt::print(stderr, "juggler: {}\n", printable_lines(message));
  return status;
}

namespace {

int parse_and_run(CLI::App& app, int argc, char** argv, const Action& action) {
  try {  // the wrapper of a library that throws
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-' &&
        app.get_require_subcommand_min() > 0) {
      return complain(fmt::format("there is no command '{}'; `juggler --help` lists them", argv[1]),
                      kExitUsage);
    }
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  return action ? action() : kExitUsage;
}

// What was printed is only done when it has arrived: a full disk shows at the last flush.
int finish_output(int status) {
  const bool flushed = std::fflush(stdout) == 0;
  const int why = errno;
  if (flushed && std::ferror(stdout) == 0) {
    return status;
  }
  const std::string reason = flushed ? "an earlier write failed" : std::strerror(why);
  return complain("the output could not be written to stdout: " + reason + ". It is not complete",
                  status == kExitDone ? kExitFailed : status);
}

}  // namespace

int run_app(CLI::App& app, int argc, char** argv, const Action& action) {
  try {  // the wrapper of a library that throws: fmt, where it cannot write
    return finish_output(parse_and_run(app, argc, argv, action));
  } catch (const std::system_error& error) {
    const std::string text = std::string("juggler: the output could not be written: ") +
                             error.what() + ". It is not complete\n";
    std::fputs(text.c_str(), stderr);  // which may be what failed
    return kExitFailed;
  }
}

std::string examples(std::initializer_list<std::string> lines) {
  std::string text = "Examples:";
  for (const std::string& line : lines) {
    text += "\n  " + line;
  }
  return text;
}

}  // namespace juggler
