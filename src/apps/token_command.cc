// `juggler token new`: a bearer token for the HTTP interface.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "amqp/users.h"
#include "apps/commands.h"
#include "http/tokens.h"

namespace juggler {
namespace {

constexpr std::size_t kTokenBytes = 24;  // 192 bits: nobody guesses it, so its digest needs no salt

struct TokenFlags {
  std::string name;
  std::string file;
  bool json = false;
};

// Adds a line to a file that its owner alone can read.
Result<void> append_line(const std::string& file, const std::string& line) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string text = line + "\n";
  const bool written =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int why = errno;
  const bool closed = fd >= 0 && close(fd) == 0;
  if (!written || !closed) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot write {}: {}", file, std::strerror(why)));
  }
  return {};
}

int make_token(const TokenFlags& flags) {
  if (!http::valid_token_name(flags.name)) {
    return complain(fmt::format("'{}' names no token: 1 to {} lower-case letters, digits and "
                                "hyphens, and not 'local'",
                                flags.name, http::kTokenNameMax),
                    kExitUsage);
  }
  const std::string token = amqp::random_text(kTokenBytes);
  const std::string line = http::token_line(flags.name, token);
  if (!flags.file.empty()) {
    if (Result<void> written = append_line(flags.file, line); !written) {
      return complain(written.error().message, kExitFailed);
    }
  }
  if (flags.json) {
    const nlohmann::json document{{"name", flags.name}, {"token", token}, {"line", line}};
    fmt::print("{}\n", document.dump(2));
    return kExitDone;
  }
  fmt::print("{}\n", token);
  fmt::print(stderr, "{}\n",
             flags.file.empty()
                 ? "That is the token, shown this once. The line for --token-file:\n" + line
                 : fmt::format("That is the token, shown this once. Its line is in {}: a server "
                               "with that --token-file takes it within a second. To take it back, "
                               "delete the line.",
                               flags.file));
  return kExitDone;
}

}  // namespace

void add_token_command(CLI::App& app, Action& action) {
  CLI::App* tokens = app.add_subcommand("token", "Tokens for the HTTP interface (juggler serve)");
  tokens->require_subcommand(1);
  CLI::App* command = tokens->add_subcommand(
      "new", "Make one: printed once; the file gets its digest, by which nobody can ask");
  const auto flags = std::make_shared<TokenFlags>();
  command->add_option("name", flags->name, "Whose it is: tasks and their ids belong to the name")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--file", flags->file, "Add its line to this file (mode 0600 where it is new)")
      ->type_name("FILE");
  command->add_flag("--json", flags->json, "name, token and line as a JSON document");
  command->footer(examples({"juggler token new door-camera --file tokens",
                            "juggler serve --listen 0.0.0.0:8000 --token-file tokens"}) +
                  "\nTo take a token back, delete its line. To change one without a gap, add the "
                  "new one\nbefore the old line goes: a name may have several.");
  command->callback([flags, &action] { action = [flags] { return make_token(*flags); }; });
}

}  // namespace juggler
