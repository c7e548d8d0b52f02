// `juggler models add | remove`: a person's own classifier, checked and offered; and what is done
// with the models of a fleet: want, rollout, rollback.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>

#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "core/device.h"
#include "files/catalogue_text.h"
#include "files/sha256.h"
#include "inference/onnx_runtime.h"
#include "inference/own_model.h"
#include "inference/synthetic_picture.h"
#include "telemetry/log.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kModelBytesMax = std::uintmax_t{8} << 30U;
constexpr std::uintmax_t kPictureBytesMax = std::uintmax_t{64} << 20U;

struct AddFlags {
  std::string home;
  std::string file;
  std::string labels;
  std::optional<MilliPercent> accuracy;
  std::string source = "said by who added it";
  std::string name;
  std::string model;
  std::string precision = "fp32";
  int size = 0;
  int resize = 0;
  std::vector<float> mean{0.485F, 0.456F, 0.406F};
  std::vector<float> stddev{0.229F, 0.224F, 0.225F};
  std::string output = "auto";
  std::string picture;
  std::string expected;
  std::string licence = "not said";
  bool replace = false;
};

// Lower-case letters, digits, '_' and '-' of a file's name.
std::string network_name(const fs::path& file) {
  std::string name;
  for (const char c : file.stem().string()) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                       lower == '_' || lower == '-';
    name.push_back(plain ? lower : '-');
  }
  return name;
}

Result<CatalogueVariant> draft_of(const AddFlags& flags, const NetworkPorts& ports) {
  CatalogueVariant entry;
  Variant& variant = entry.variant;
  variant.network = flags.name.empty() ? network_name(flags.file) : flags.name;
  variant.model = flags.model.empty() ? variant.network : flags.model;
  variant.precision = flags.precision;
  variant.id = variant.network + "-" + variant.precision;
  variant.accuracy = *flags.accuracy;
  variant.accuracy_evidence = Evidence::Estimated;
  variant.weights = Weights::Pretrained;
  const Result<std::string> digest = sha256_file(flags.file);
  if (!digest) {
    return digest.error();
  }
  variant.sha256 = *digest;
  std::error_code failed;
  entry.file = flags.file;
  entry.size = {static_cast<std::int64_t>(fs::file_size(flags.file, failed))};
  entry.labels = flags.labels;
  entry.accuracy_source = flags.source;
  entry.licence = flags.licence;
  entry.input.name = ports.input;
  entry.input.width = ports.width != 0 ? ports.width : flags.size;
  entry.input.height = ports.height != 0 ? ports.height : flags.size;
  if (entry.input.width == 0 || entry.input.height == 0) {
    return fail(
        ErrorCode::InvalidArgument,
        "its input takes pictures of any size: say which one it was trained on, --size 224");
  }
  const int side = std::max(entry.input.width, entry.input.height);
  entry.input.resize_shorter_px = flags.resize != 0 ? flags.resize : (side * 8 + 6) / 7;
  std::copy_n(flags.mean.begin(), 3, entry.input.mean.begin());
  std::copy_n(flags.stddev.begin(), 3, entry.input.stddev.begin());
  entry.output.name = ports.output;
  return entry;
}

Result<std::string> read_bytes(const fs::path& file, std::uintmax_t size_max) {
  return read_file(file, size_max);
}

// In one step: who reads it meanwhile has the old one or the new.
Result<void> write_own(const fs::path& folder, const std::vector<CatalogueVariant>& entries) {
  const fs::path next = folder / "own.next";
  std::error_code failed;
  {
    std::ofstream stream(next, std::ios::trunc);
    stream << catalogue_text(entries, "by juggler models add");
    if (!stream.flush()) {
      return fail(ErrorCode::Unavailable, "cannot write " + next.string());
    }
  }
  fs::rename(next, folder / kOwnCatalogueFile, failed);
  return failed ? Result<void>(fail(ErrorCode::Unavailable,
                                    "cannot write " + (folder / kOwnCatalogueFile).string() + ": " +
                                        failed.message()))
                : Result<void>();
}

Result<std::vector<CatalogueVariant>> own_entries(const fs::path& folder) {
  const Result<Catalogue> own = Catalogue::load_file(folder, kOwnCatalogueFile);
  if (!own && own.error().code != ErrorCode::NotFound) {
    return own.error();
  }
  return own ? own->variants() : std::vector<CatalogueVariant>();
}

Result<void> copy_into(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  if (fs::equivalent(from, to, failed)) {
    return {};
  }
  const fs::path next = to.string() + ".next";
  fs::copy_file(from, next, fs::copy_options::overwrite_existing, failed);
  if (!failed) {
    fs::rename(next, to, failed);
  }
  return failed ? Result<void>(fail(ErrorCode::Unavailable,
                                    "cannot write " + to.string() + ": " + failed.message()))
                : Result<void>();
}

// Files and entry beside the others: named by their content, so that none replaces another.
Result<void> put(const fs::path& folder, CatalogueVariant entry, bool replace) {
  Result<std::vector<CatalogueVariant>> own = own_entries(folder);
  if (!own) {
    return own.error();
  }
  const auto same = [&](const CatalogueVariant& one) { return one.variant.id == entry.variant.id; };
  const Result<Catalogue> others = Catalogue::load_file(folder, kCatalogueFile);
  const bool set_up = others && others->find(entry.variant.id) != nullptr;
  const bool known = std::any_of(own->begin(), own->end(), same);
  if (set_up || (known && !replace)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("there is a variant '{}' already: {}", entry.variant.id,
                            set_up ? "give this one another --name"
                                   : "--replace puts this one in its place"));
  }
  std::erase_if(*own, same);
  const Result<std::string> labels_digest = sha256_file(entry.labels);
  if (!labels_digest) {
    return labels_digest.error();
  }
  const std::string stem = entry.variant.id + "-" + entry.variant.sha256.substr(0, 12);
  const fs::path labels =
      entry.variant.network + "-" + labels_digest->substr(0, 12) + ".labels.txt";
  if (Result<void> copied = copy_into(entry.file, folder / (stem + ".onnx")); !copied) {
    return copied;
  }
  if (Result<void> copied = copy_into(entry.labels, folder / labels); !copied) {
    return copied;
  }
  entry.file = folder / (stem + ".onnx");
  entry.labels = folder / labels;
  own->push_back(std::move(entry));
  return write_own(folder, *own);
}

// Where this machine has a controller's login: else devices ask by themselves, within a minute.
void nudge(const std::string& home) {
  BrokerChoice choice;
  choice.home = home;
  if (const Result<amqp::BrokerUrl> broker = find_controller_login(choice)) {
    (void)amqp::nudge_devices(*broker);
  }
}

int add(const AddFlags& flags) {
  (void)set_up_log("juggler", "off");
  const fs::path home = home_folder(flags.home);
  std::error_code failed;
  if (!fs::is_regular_file(flags.file, failed) ||
      fs::file_size(flags.file, failed) > kModelBytesMax) {
    return complain("there is no such file, or it is larger than 8 GiB: " + flags.file, kExitUsage);
  }
  const auto labels = load_labels(flags.labels);
  if (!labels) {
    return complain(labels.error().message, kExitUsage);
  }
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(home); !runtime) {
    return complain("the model cannot be checked, and is not offered: " + runtime.error().message,
                    kExitFailed);
  }
  const Result<NetworkPorts> ports = inspect_onnx(flags.file);
  Result<CatalogueVariant> draft =
      ports ? draft_of(flags, *ports) : Result<CatalogueVariant>(ports.error());
  if (!draft) {
    return complain(draft.error().message, kExitFailed);
  }
  fs::create_directories(home / "models", failed);
  const Result<std::string> picture = flags.picture.empty()
                                          ? Result<std::string>(synthetic_jpeg())
                                          : read_bytes(flags.picture, kPictureBytesMax);
  if (!picture) {
    return complain(picture.error().message, kExitUsage);
  }
  // The trial runs on the files as they will lie there: in one folder.
  const fs::path trial_folder = home / "models" / ".trial";
  fs::create_directories(trial_folder, failed);
  CatalogueVariant trial = *draft;
  trial.file = trial_folder / "model.onnx";
  trial.labels = trial_folder / "labels.txt";
  Result<void> copied = copy_into(flags.file, trial.file);
  if (copied) {
    copied = copy_into(flags.labels, trial.labels);
  }
  const std::optional<OutputKind> kind = parse_output_kind(flags.output);
  const Result<OwnModelReport> report =
      copied ? try_own_model({home, trial, kind, *picture, flags.expected})
             : Result<OwnModelReport>(copied.error());
  fs::remove_all(trial_folder, failed);
  if (!report) {
    return complain("not added: " + report.error().message, kExitFailed);
  }
  draft->output.kind = report->kind;
  const std::string id = draft->variant.id;
  const std::string model = draft->variant.model;
  const InputSpec input = draft->input;
  if (Result<void> kept = put(home / "models", std::move(*draft), flags.replace); !kept) {
    return complain("not added: " + kept.error().message,
                    kept.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed);
  }
  nudge(flags.home);
  fmt::print("{} is added: input '{}' {} x {}, {} classes, {}\n", id, printable(input.name),
             input.width, input.height, labels->size(), to_string(report->kind));
  fmt::print("the test picture{}:", flags.picture.empty() ? " (a synthetic one)" : "");
  for (const Label& label : report->labels) {
    fmt::print(" {} {:.2f};", printable(label.name), label.score);
  }
  fmt::print(
      " {:.1f} ms here\nDevices that fetch their models get it within a minute. Ask for it "
      "by its model: juggler submit PHOTO.jpg --model {}\n",
      static_cast<double>(report->compute.count) / 1e3, model);
  return kExitDone;
}

int remove_own(const std::string& home_flag, const std::string& id) {
  const fs::path folder = home_folder(home_flag) / "models";
  Result<std::vector<CatalogueVariant>> own = own_entries(folder);
  if (!own) {
    return complain(own.error().message, kExitFailed);
  }
  const auto at =
      std::find_if(own->begin(), own->end(), [&](const auto& one) { return one.variant.id == id; });
  if (at == own->end()) {
    const Result<Catalogue> others = Catalogue::load_file(folder, kCatalogueFile);
    return complain(others && others->find(id) != nullptr
                        ? fmt::format("'{}' was not added by hand, set-up has brought it: say what "
                                      "is wanted instead (juggler models want)",
                                      id)
                        : fmt::format("no variant '{}' was added (juggler models list)", id),
                    kExitUsage);
  }
  const CatalogueVariant gone = *at;
  own->erase(at);
  if (Result<void> kept = write_own(folder, *own); !kept) {
    return complain(kept.error().message, kExitFailed);
  }
  const auto used = [&](const fs::path& file) {
    return std::any_of(own->begin(), own->end(), [&](const CatalogueVariant& one) {
      return one.file == file || one.labels == file;
    });
  };
  std::error_code failed;
  for (const fs::path& file : {gone.file, gone.labels}) {
    if (!used(file)) {
      fs::remove(file, failed);
    }
  }
  nudge(home_flag);
  fmt::print("{} is removed; devices let go of it within a minute\n", id);
  return kExitDone;
}

void add_home(CLI::App& command, std::string& home) {
  command
      .add_option("--home", home,
                  "Folder of the models that are handed out; else $JUGGLER_HOME, a checkout's var, "
                  "~/.local/share/juggler")
      ->type_name("DIR");
}

void add_check_flags(CLI::App& command, AddFlags& flags) {
  command
      .add_option("--size", flags.size,
                  "Side of its input in pixels, where the file leaves it free")
      ->check(CLI::Range(1, 4096))
      ->type_name("PX");
  command
      .add_option("--resize", flags.resize,
                  "The shorter side of a picture is resized to this, then the centre is cropped "
                  "[8/7 of the input]")
      ->check(CLI::Range(1, 4096))
      ->type_name("PX");
  command.add_option("--mean", flags.mean, "Of each channel, of pixel/255 [ImageNet's]")
      ->delimiter(',')
      ->expected(3)
      ->type_name("R,G,B");
  command.add_option("--std", flags.stddev, "Likewise")
      ->delimiter(',')
      ->expected(3)
      ->type_name("R,G,B");
  command.add_option("--output", flags.output, "What comes out: logits, probabilities, or auto")
      ->check(CLI::IsMember({"auto", "logits", "probabilities"}))
      ->capture_default_str();
  command.add_option("--picture", flags.picture, "The test picture, JPEG or PNG [a synthetic one]")
      ->type_name("FILE");
  command.add_option("--expect", flags.expected, "The label that the test picture has to get")
      ->type_name("LABEL");
}

void add_add(CLI::App& models, Action& action) {
  CLI::App* command = models.add_subcommand(
      "add", "Check a classifier of your own in ONNX Runtime, and offer it to the devices");
  const auto flags = std::make_shared<AddFlags>();
  command->add_option("file", flags->file, "The ONNX file")->required()->type_name("FILE");
  command->add_option("--labels", flags->labels, "A label per line, in the order of the classes")
      ->required()
      ->type_name("FILE");
  add_percent(*command, "--accuracy", flags->accuracy, "Its top-1 accuracy, percent")->required();
  command->add_option("--source", flags->source, "How that accuracy is known")
      ->capture_default_str()
      ->type_name("TEXT");
  command->add_option("--name", flags->name, "Of the network [the file's name]")->type_name("NAME");
  command->add_option("--model", flags->model, "What tasks ask for [the network's name]")
      ->type_name("NAME");
  command->add_option("--precision", flags->precision, "fp32, fp16 or int8")
      ->check(CLI::IsMember({"fp32", "fp16", "int8"}))
      ->capture_default_str();
  add_check_flags(*command, *flags);
  command->add_option("--licence", flags->licence, "Of the weights")->capture_default_str();
  command->add_flag("--replace", flags->replace,
                    "Put it in the place of one that was added before");
  add_home(*command, flags->home);
  command->footer(
      examples({"juggler models add flowers.onnx --labels flowers.txt --accuracy 93.5",
                "juggler models add flowers.onnx --labels flowers.txt --accuracy 93.5 --picture "
                "daisy.jpg --expect daisy"}) +
      "\nRun it on the machine of `juggler keeper` (`juggler up`).\nExit status: 0 added, 1 it did "
      "not pass, 2 usage.");
  command->callback([flags, &action] { action = [flags] { return add(*flags); }; });
}

void add_remove(CLI::App& models, Action& action) {
  CLI::App* command = models.add_subcommand("remove", "Take a variant back that was added");
  const auto home = std::make_shared<std::string>();
  const auto id = std::make_shared<std::string>();
  command->add_option("variant", *id, "Its id, as in juggler models")
      ->required()
      ->type_name("VARIANT");
  add_home(*command, *home);
  command->footer(examples({"juggler models remove flowers-fp32"}));
  command->callback(
      [home, id, &action] { action = [home, id] { return remove_own(*home, *id); }; });
}

}  // namespace

void add_own_models(CLI::App& models, Action& action) {
  add_add(models, action);
  add_remove(models, action);
}

}  // namespace juggler
