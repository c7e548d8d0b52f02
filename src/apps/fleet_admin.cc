#include "apps/fleet_admin.h"

#include <fmt/format.h>

#include <system_error>

#include "amqp/node_files.h"
#include "amqp/private_broker.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kCredentialMax = 65'536;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ') {
      word.push_back(c);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

Result<amqp::BrokerUrl> address_of(const AdminChoice& choice) {
  if (choice.address.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "--address is missing: how devices reach this broker, amqps://host:5671/vhost");
  }
  return amqp::BrokerUrl::parse(choice.address);
}

// As other machines reach it, where it is opened to them.
std::string own_address_of(const amqp::BrokerAddresses& node) {
  return node.lan.port != 0 ? fmt::format("amqps://{}:{}/{}?fingerprint=sha256:{}", node.lan.host,
                                          node.lan.port, amqp::kVhost, node.lan.fingerprint)
                            : fmt::format("amqp://{}:{}/{}", node.listen, node.port, amqp::kVhost);
}

// Of the home that was named, else of the last `juggler up`.
Result<fs::path> private_folder(const AdminChoice& choice) {
  const fs::path home = home_folder(choice.home);
  if (amqp::PrivateBroker::find_running((home / "broker").string())) {
    return home / "broker";
  }
  const std::optional<Running> running = choice.home.empty() ? find_running() : std::nullopt;
  if (running.has_value() && running->broker.empty()) {
    return running->home / "broker";
  }
  return fail(ErrorCode::NotFound,
              fmt::format("no private broker runs with the home {}: start `juggler up`, or name a "
                          "broker's own control program: --rabbitmqctl rabbitmqctl",
                          home.string()));
}

}  // namespace

void add_admin_flags(CLI::App& app, AdminChoice& choice) {
  app.add_option(
         "--home", choice.home,
         "Folder of models and state; else $JUGGLER_HOME, a checkout's var, ~/.local/share/juggler")
      ->type_name("DIR");
  app.add_option("--rabbitmqctl", choice.rabbitmqctl,
                 "Of another broker than the home's: the command that is its rabbitmqctl")
      ->type_name("COMMAND");
  app.add_option("--vhost", choice.vhost, "There")->capture_default_str()->type_name("NAME");
  refuse_password(*app.add_option("--address", choice.address,
                                  "How it is reached, amqps://host:5671/vhost, for the logins that "
                                  "are written")
                       ->type_name("URL"));
}

int complain_of(const Error& error) {
  const bool away = error.code == ErrorCode::NotFound || error.code == ErrorCode::Unavailable;
  return complain(error.message, error.code == ErrorCode::InvalidArgument ? kExitUsage
                                 : away                                   ? kExitUnreachable
                                                                          : kExitFailed);
}

Result<FleetAdmin> find_admin(const AdminChoice& choice) {
  if (!choice.rabbitmqctl.empty()) {
    const std::vector<std::string> command = words_of(choice.rabbitmqctl);
    Result<amqp::BrokerUrl> address = address_of(choice);
    if (!address || command.empty()) {
      return address ? fail(ErrorCode::InvalidArgument, "--rabbitmqctl names no program")
                     : address.error();
    }
    return FleetAdmin{amqp::BrokerUsers::of_command(command, choice.vhost), std::move(*address)};
  }
  const Result<fs::path> folder = private_folder(choice);
  if (!folder) {
    return folder.error();
  }
  Result<amqp::BrokerUsers> users = amqp::BrokerUsers::of_private(folder->string());
  const auto node = amqp::PrivateBroker::find_running(folder->string());
  if (!users || !node) {
    return users ? node.error() : users.error();
  }
  Result<amqp::BrokerUrl> address =
      amqp::BrokerUrl::parse(choice.address.empty() ? own_address_of(*node) : choice.address);
  if (!address) {
    return address.error();
  }
  return FleetAdmin{std::move(*users), std::move(*address)};
}

Result<void> write_credential(const fs::path& file, amqp::BrokerUrl address,
                              const std::string& user, const std::string& password) {
  address.set_login(user, password);
  std::error_code failed;
  const fs::path folder = file.parent_path();
  if (!folder.empty() && !fs::exists(folder, failed)) {
    fs::create_directories(folder, failed);
    fs::permissions(folder, fs::perms::owner_all, failed);
  }
  return amqp::write_private_file(file.string(), address.text() + "\n", 0600);
}

std::optional<std::string> password_in(const fs::path& file, const std::string& user) {
  const Result<std::string> text = read_file(file, kCredentialMax);
  const Result<amqp::BrokerUrl> address =
      text ? amqp::BrokerUrl::parse(text->substr(0, text->find_first_of("\r\n")))
           : Result<amqp::BrokerUrl>(text.error());
  return address && address->user == user ? std::optional(address->password) : std::nullopt;
}

}  // namespace juggler
