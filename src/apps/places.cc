#include "apps/places.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "amqp/private_broker.h"
#include "apps/json_fields.h"
#include "files/data_folders.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kSmallFileMax = 65'536;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

fs::path user_folder() {
  std::string home = environment("HOME");
  if (home.empty()) {
    const passwd* user = getpwuid(getuid());
    home = user != nullptr ? user->pw_dir : "/tmp";
  }
  return home;
}

fs::path state_file() {
  const std::string state = environment("XDG_STATE_HOME");
  return (state.empty() ? user_folder() / ".local/state" : fs::path(state)) / "juggler/up.json";
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find_first_of("\r\n"));
  line.erase(0, line.find_first_not_of(" \t"));
  line.erase(line.find_last_not_of(" \t") + 1);
  return line;
}

// The address of the private broker that runs under `home`; empty where none does.
std::string private_broker(const fs::path& home) {
  const Result<amqp::BrokerAddresses> node =
      amqp::PrivateBroker::find_running((home / "broker").string());
  if (!node) {
    return "";
  }
  return node->url_for("submitter");
}

// Where `make models` of the checkout that this program was built in has put them; empty where it
// has not, or the program is installed.
fs::path checkout_home() {
  for (const fs::path& folder : data_folders(kHomeFolders, {})) {
    std::error_code failed;
    if (fs::exists(folder / "models" / "catalogue.toml", failed)) {
      return folder;
    }
  }
  return {};
}

json json_of(const Running& running) {
  return {{"home", running.home.string()}, {"pid", running.pid}, {"broker", running.broker}};
}

// Nothing where it is none, or does not run any more.
std::optional<Running> running_of(const json& document) {
  Running running;
  running.home = text_of(document, "home");
  running.broker = text_of(document, "broker");
  running.pid = integer_of(document, "pid").value_or(0);
  const bool alive =
      running.pid > 0 && (kill(static_cast<pid_t>(running.pid), 0) == 0 || errno == EPERM);
  return alive && !running.home.empty() ? std::optional(running) : std::nullopt;
}

// Every `juggler up` of this person that runs, the last one first.
std::vector<Running> all_running() {
  std::vector<Running> all;
  const Result<std::string> text = read_file(state_file(), kSmallFileMax);
  if (!text) {
    return all;
  }
  const json document = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  json entries = list_of(document, "earlier");
  entries.insert(entries.begin(), document);
  for (const json& entry : entries) {
    if (std::optional<Running> running = running_of(entry)) {
      all.push_back(std::move(*running));
    }
  }
  return all;
}

// requires  at least one
bool write_all(const std::vector<Running>& all) {
  const fs::path file = state_file();
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  json document = json_of(all.front());
  for (std::size_t i = 1; i < all.size(); ++i) {
    document["earlier"].push_back(json_of(all[i]));
  }
  const std::string fresh = file.string() + ".new";
  const mode_t before = umask(0077);
  std::ofstream stream(fresh, std::ios::trunc);
  umask(before);
  stream << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  stream.close();
  if (stream) {
    fs::rename(fresh, file, failed);
  }
  return stream && !failed;
}

}  // namespace

fs::path home_folder(const std::string& flag) {
  fs::path home = flag;
  if (home.empty()) {
    home = environment("JUGGLER_HOME");
  }
  if (home.empty()) {
    home = checkout_home();
  }
  if (home.empty()) {
    const std::string data = environment("XDG_DATA_HOME");
    home = (data.empty() ? user_folder() / ".local/share" : fs::path(data)) / "juggler";
  }
  std::error_code failed;
  const fs::path absolute = fs::absolute(home, failed);
  return failed ? home : absolute.lexically_normal();
}

Result<void> write_running(const Running& running) {
  std::vector<Running> all = all_running();
  std::erase_if(all, [&](const Running& other) { return other.pid == running.pid; });
  all.insert(all.begin(), running);
  if (!write_all(all)) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot write {}: other commands will need --home {}",
                            state_file().string(), running.home.string()));
  }
  return {};
}

void remove_running(std::int64_t pid) {
  std::vector<Running> all = all_running();
  if (std::erase_if(all, [pid](const Running& running) { return running.pid == pid; }) == 0) {
    return;
  }
  if (all.empty() || !write_all(all)) {
    std::error_code failed;
    fs::remove(state_file(), failed);
  }
}

std::optional<Running> find_running() {
  const std::vector<Running> all = all_running();
  return all.empty() ? std::nullopt : std::optional(all.front());
}

namespace {

Result<std::string> address_in(const std::string& file) {
  const Result<std::string> text = read_file(file, kSmallFileMax);
  if (!text) {
    return text.error();
  }
  std::string line = first_line(*text);
  if (line.empty()) {
    return fail(ErrorCode::InvalidArgument,
                file + " is empty; its first line should be the broker's address");
  }
  return line;
}

}  // namespace

std::string credential_file(const std::string& name) {
  const std::string folder = environment("CREDENTIALS_DIRECTORY");
  std::error_code failed;
  const fs::path file = fs::path(folder) / name;
  return !folder.empty() && fs::exists(file, failed) ? file.string() : std::string();
}

Result<std::string> find_broker(const BrokerChoice& choice) {
  if (!choice.broker.empty()) {
    return choice.broker;
  }
  if (!choice.broker_file.empty()) {
    return address_in(choice.broker_file);
  }
  if (const std::string credential = credential_file("broker"); !credential.empty()) {
    return address_in(credential);
  }
  if (std::string address = environment("JUGGLER_BROKER"); !address.empty()) {
    return address;
  }
  if (choice.use == BrokerUse::Daemon) {
    return fail(
        ErrorCode::NotFound,
        "no broker was named: give its address, amqp[s]://user:password@host:port/vhost, by "
        "--broker-file FILE (its first line), $JUGGLER_BROKER, or the systemd credential "
        "'broker'");
  }
  const fs::path home = home_folder(choice.home);
  if (std::string address = private_broker(home); !address.empty()) {
    return address;
  }
  const std::optional<Running> running = choice.home.empty() ? find_running() : std::nullopt;
  if (running.has_value()) {
    std::string address = running->broker.empty() ? private_broker(running->home) : running->broker;
    if (!address.empty()) {
      return address;
    }
  }
  return fail(
      ErrorCode::NotFound,
      fmt::format("no broker found: none was named (--broker, --broker-file, "
                  "$JUGGLER_BROKER), and no `juggler up` runs with the home {}. Start "
                  "`juggler up`, or name a broker, amqp[s]://user:password@host:port/vhost, "
                  "in the first line of --broker-file FILE",
                  home.string()));
}

Result<amqp::BrokerUrl> read_broker(const BrokerChoice& choice) {
  const Result<std::string> address = find_broker(choice);
  return address ? amqp::BrokerUrl::parse(*address) : Result<amqp::BrokerUrl>(address.error());
}

Result<std::string> read_file(const fs::path& path, std::uintmax_t size_max) {
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    return fail(ErrorCode::InvalidArgument, path.string() + " is a folder");
  }
  const std::uintmax_t size = fs::file_size(path, failed);
  if (failed) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read {}: {}", path.string(), failed.message()));
  }
  if (size > size_max) {
    return fail(ErrorCode::TooLarge,
                fmt::format("{} has {} bytes; at most {} are read", path.string(), size, size_max));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace juggler
