// `juggler doctor` and `juggler-consumer doctor`: what works here, what does not, and what to do
// about it.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "amqp/node_programs.h"
#include "apps/broker_ceiling.h"
#include "apps/client_session.h"
#include "apps/commands.h"
#include "apps/finding.h"
#include "apps/host_findings.h"
#include "apps/json_fields.h"
#include "apps/own_login.h"
#include "apps/pictures.h"
#include "apps/quantities.h"
#include "apps/table.h"
#include "apps/version.h"
#include "files/board_profile.h"
#include "files/catalogue.h"
#include "inference/calibration_file.h"
#include "inference/image.h"
#include "inference/machine.h"
#include "inference/onnx_runtime.h"
#include "inference/synthetic_picture.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr Micros kAskMax = seconds(3);

using State = Finding::State;

std::string_view name_of(State state) {
  switch (state) {
    case State::Works:
      return "ok";
    case State::Note:
      return "note";
    case State::Missing:
      return "MISSING";
  }
  return "?";
}

// By trying: permissions, read-only file systems and full disks all show only then.
std::string why_not_writable(const fs::path& folder) {
  std::string file = (folder / ".juggler-doctor-XXXXXX").string();
  const int fd = mkstemp(file.data());
  if (fd < 0) {
    return std::strerror(errno);
  }
  close(fd);
  unlink(file.c_str());
  return "";
}

Finding check_home(const fs::path& home, DoctorOf of) {
  std::error_code failed;
  if (!fs::is_directory(home, failed) && of == DoctorOf::Board) {
    return {"home", State::Note, home.string() + " is not there yet: joining makes it"};
  }
  if (!fs::is_directory(home, failed)) {
    return {"home", State::Missing, "there is no folder " + home.string(),
            "make models in a checkout makes its var; or --home DIR of one that is there"};
  }
  if (const std::string why = why_not_writable(home); !why.empty()) {
    return {"home", State::Missing,
            fmt::format("{}: nothing can be written there: {}", home.string(), why),
            "let this user write there, or use another: --home DIR"};
  }
  return {"home", State::Works, home.string()};
}

Finding check_server() {
  const Result<std::string> installed = amqp::broker_installed();
  return installed ? Finding{"RabbitMQ server", State::Works, *installed}
                   : Finding{"RabbitMQ server", State::Missing, installed.error().message};
}

std::vector<Finding> check_running(const BrokerChoice& choice) {
  Result<std::unique_ptr<ClientSession>> session = open_client(choice);
  if (!session) {
    return {{"running fleet", State::Note, "none found", "juggler up starts one"}};
  }
  const Result<json> status = (*session)->client->ask("status", "", kAskMax);
  if (!status) {
    return {{"running fleet", State::Note,
             fmt::format("broker {}, but: {}", (*session)->broker, status.error().message),
             "juggler up, or juggler controller --broker URL"}};
  }
  std::vector<Finding> findings{
      {"running fleet", State::Works,
       fmt::format("broker {}, controller {}, policy {}, {} devices", (*session)->broker,
                   text_of(*status, "version"), text_of(*status, "policy"),
                   integer_of(*status, "devices").value_or(0))}};
  if (const Result<json> models = (*session)->client->ask("models", "", kAskMax)) {
    if (std::optional<Finding> ceiling = broker_ceiling(*models)) {
      findings.push_back(std::move(*ceiling));
    }
  }
  return findings;
}

Finding check_runtime(const fs::path& home) {
  if (!onnx_engine_available()) {
    return {"ONNX Runtime", State::Missing, "this build has no ONNX Runtime engine: twins only",
            "make onnxruntime, then make build"};
  }
  const Result<OnnxRuntime> runtime = load_onnx_runtime(home);
  if (!runtime) {
    return {"ONNX Runtime", State::Missing, runtime.error().message,
            "make onnxruntime in a checkout; Debian 13: apt install libonnxruntime1.21; else the "
            "library of a wheel (JetPack: NVIDIA's onnxruntime_gpu, others: PyPI's onnxruntime) as "
            "/opt/onnxruntime/lib/libonnxruntime.so.1; step by step: docs/boards"};
  }
  return {"ONNX Runtime", State::Works,
          fmt::format("{}, {}", runtime->version, runtime->library.string())};
}

// A device's login, or what says where it is. That it is valid is known by using it.
Finding check_login(BrokerChoice broker) {
  (void)own_login(broker);
  const Result<amqp::BrokerUrl> login = read_broker(broker);
  if (!login) {
    return {"login", State::Missing, login.error().message,
            "juggler-consumer join -, and the line of juggler devices invite"};
  }
  struct stat about {};
  if (!broker.broker_file.empty() && stat(broker.broker_file.c_str(), &about) == 0 &&
      (about.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    return {"login", State::Missing, broker.broker_file + " can be read by others on this machine",
            "chmod 600 " + broker.broker_file};
  }
  return {"login", State::Works, fmt::format("{} at {}:{}", login->user, login->host, login->port)};
}

std::vector<Finding> check_models(const fs::path& home, bool verify, DoctorOf of) {
  const Result<Catalogue> catalogue = Catalogue::load(home);
  if (!catalogue && of == DoctorOf::Board) {
    return {{"models", State::Note,
             "none yet: it fetches those that are wanted there when it has joined"}};
  }
  if (!catalogue) {
    return {{"models", State::Missing, catalogue.error().message,
             "make models in a checkout (into its var), or --home DIR of one that has them"}};
  }
  std::size_t pretrained = 0;
  std::string broken;
  for (const CatalogueVariant& entry : catalogue->variants()) {
    pretrained += entry.variant.weights == Weights::Pretrained ? 1U : 0U;
    if (!verify) {
      continue;
    }
    if (const Result<void> checked = verify_model_file(entry); !checked) {
      broken += (broken.empty() ? "" : "; ") + checked.error().message;
    }
  }
  const std::size_t all = catalogue->variants().size();
  std::vector<Finding> findings{
      {"models", pretrained > 0 ? State::Works : State::Note,
       fmt::format("{} variants, {} with trained weights, {} synthetic: {}", all, pretrained,
                   all - pretrained, (home / "models").string()),
       pretrained > 0 ? "" : "make models-again fetches trained weights where there is internet"}};
  if (!broken.empty()) {
    findings.push_back({"model files", State::Missing, broken, "make models-again"});
  } else if (verify) {
    findings.push_back({"model files", State::Works, fmt::format("all {} as catalogued", all)});
  } else {
    findings.push_back({"model files", State::Note, "not checked", "--verify reads them all"});
  }
  return findings;
}

Finding check_decoders() {
  Picture picture;
  const Result<void> decoded = decode_picture(synthetic_jpeg(), 0, picture);
  if (!decoded) {
    return {"picture decoders", State::Missing, decoded.error().message,
            "reinstall libjpeg62-turbo and libpng16-16"};
  }
  return {"picture decoders", State::Works, "JPEG and PNG"};
}

std::vector<Finding> check_machine(const fs::path& home, const std::string& id,
                                   const std::string& host_root) {
  const Machine machine = read_machine(host_root);
  std::vector<Finding> findings{
      {"this machine", State::Works,
       fmt::format("{}, {}, {} core{}, {} of memory free", machine.board, machine.processor,
                   machine.cores, machine.cores == 1 ? "" : "s", show(machine.memory))}};
  std::error_code failed;
  const fs::path measured = calibration_file(home, id);
  findings.push_back(fs::exists(measured, failed)
                         ? Finding{"its measurements", State::Works, measured.string()}
                         : Finding{"its measurements", State::Note,
                                   "none yet: measured when it first serves, in about 20 s"});
  const Result<BoardProfile> board = find_board_profile(machine.board, home);
  if (board && board->busy.has_value()) {
    findings.push_back({"energies without a meter", State::Note,
                        fmt::format("time x {:.1f} W ({:.1f}-{:.1f}), {}, from "
                                    "the profile of {}",
                                    static_cast<double>(board->busy->value.count) / 1000,
                                    static_cast<double>(board->busy->low.count) / 1000,
                                    static_cast<double>(board->busy->high.count) / 1000,
                                    to_string(board->busy->evidence), machine.board)});
  } else {
    findings.push_back({"energies without a meter", State::Note,
                        "no figure for this board: tasks with an energy limit go elsewhere"});
  }
  return findings;
}

std::vector<Finding> check_profiles(const fs::path& home) {
  const std::vector<std::string> boards = list_boards(home);
  std::vector<Finding> findings;
  findings.push_back(boards.empty()
                         ? Finding{"profiles for twins", State::Note, "none found",
                                   "set JUGGLER_PROFILES to the folder of the board profiles"}
                         : Finding{"profiles for twins", State::Works,
                                   fmt::format("{}", fmt::join(boards, ", "))});
  const Result<std::vector<fs::path>> photos = list_pictures({home / "photos"});
  findings.push_back(
      photos ? Finding{"photographs", State::Works,
                       fmt::format("{} in {}", photos->size(), (home / "photos").string())}
             : Finding{"photographs", State::Note, "none for the demonstration", "make photos"});
  return findings;
}

struct DoctorFlags {
  DoctorOf of = DoctorOf::Fleet;
  std::string id = "this-machine";
  BrokerChoice broker;
  std::string host_root = "/";
  bool verify = false;
  bool json = false;
};

int examine(const DoctorFlags& flags) {
  (void)set_up_log("juggler", "off");
  const fs::path home = home_folder(flags.broker.home);
  std::vector<Finding> findings;
  const bool board = flags.of == DoctorOf::Board;
  findings.push_back(
      {board ? "juggler-consumer" : "juggler", State::Works, std::string(version_short())});
  findings.push_back(check_home(home, flags.of));
  const auto add = [&findings](std::vector<Finding> more) {
    findings.insert(findings.end(), more.begin(), more.end());
  };
  if (board) {
    findings.push_back(check_login(flags.broker));
  } else {
    findings.push_back(check_server());
    add(check_running(flags.broker));
  }
  findings.push_back(check_runtime(home));
  add(check_models(home, flags.verify, flags.of));
  findings.push_back(check_decoders());
  if (!board) {
    add(check_profiles(home));
  }
  add(check_machine(home, flags.id, flags.host_root));
  DiskFiles host(flags.host_root);
  DiskFiles own;
  const Discovery found = discover(host, own);
  add(host_findings(found, host));
  const std::unique_ptr<Mailbox> mailbox =
      found.family == BoardFamily::RaspberryPi ? make_mailbox() : nullptr;
  findings.push_back(meter_finding(found, host, mailbox.get()));

  const auto missing = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == State::Missing;
  });
  if (flags.json) {
    json list = json::array();
    for (const Finding& finding : findings) {
      list.push_back({{"what", finding.what},
                      {"state", name_of(finding.state)},
                      {"found", finding.found},
                      {"remedy", finding.remedy}});
    }
    const json document{{"findings", std::move(list)}, {"missing", missing}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    Table table({{.title = "what"}, {.title = ""}, {.title = "found", .fit = Column::Fit::Wrap}});
    for (const Finding& finding : findings) {
      table.row({finding.what, std::string(name_of(finding.state)),
                 finding.found + (finding.remedy.empty()
                                      ? ""
                                      : (finding.found.ends_with('.') ? " To do: " : ". To do: ") +
                                            finding.remedy)});
    }
    fmt::print("{}", table.text(screen_of(STDOUT_FILENO)));
    fmt::print("{}\n", missing == 0 ? "Everything that is needed is here."
                                    : fmt::format("{} missing: see \"To do\".", missing));
  }
  return missing == 0 ? kExitDone : kExitFailed;
}

}  // namespace

void add_doctor_command(CLI::App& app, Action& action, DoctorOf of) {
  CLI::App* command =
      app.add_subcommand("doctor", "What works here, what does not, and what to do about it");
  const auto flags = std::make_shared<DoctorFlags>();
  flags->of = of;
  const std::string program = of == DoctorOf::Board ? "juggler-consumer" : "juggler";
  if (of == DoctorOf::Board) {
    flags->broker.use = BrokerUse::Daemon;
    command->add_option("--id", flags->id, "The device's name, whose measurements are looked for")
        ->type_name("ID");
  }
  add_broker_flags(*command, flags->broker);
  add_host_root(*command, flags->host_root);
  command->add_flag("--verify", flags->verify, "Read every model file and check its SHA-256");
  command->add_flag("--json", flags->json, "One JSON document instead of the table");
  command->footer(examples({program + " doctor --home var", program + " doctor --verify --json"}) +
                  "\nExit status: 0 if everything that is needed is here, 1 if not.");
  command->callback([flags, &action] { action = [flags] { return examine(*flags); }; });
}

}  // namespace juggler
