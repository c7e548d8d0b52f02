// `juggler models add | remove`: a person's own classifier, checked and offered; and what is done
// with the models of a fleet: want, rollout, rollback.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>

#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/controller_login.h"
#include "apps/own_models.h"
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
  std::string rollout;  // where to; empty: to everybody at once
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

constexpr std::size_t kNameMax = 100;

// It becomes part of files' names.
bool fits_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

// `trial`: the folder with copies of its files, which are what is hashed, tried and kept.
Result<CatalogueVariant> draft_of(const AddFlags& flags, const NetworkPorts& ports,
                                  const fs::path& trial) {
  CatalogueVariant entry;
  Variant& variant = entry.variant;
  variant.network = flags.name.empty() ? network_name(flags.file) : flags.name;
  variant.model = flags.model.empty() ? variant.network : flags.model;
  variant.precision = flags.precision;
  variant.id = variant.network + "-" + variant.precision;
  variant.accuracy = *flags.accuracy;
  variant.accuracy_evidence = Evidence::Estimated;
  variant.weights = Weights::Pretrained;
  entry.file = trial / "model.onnx";
  entry.labels = trial / "labels.txt";
  const Result<std::string> digest = sha256_file(entry.file);
  if (!digest) {
    return digest.error();
  }
  variant.sha256 = *digest;
  std::error_code failed;
  entry.size = {static_cast<std::int64_t>(fs::file_size(entry.file, failed))};
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

// Where this machine has a controller's login: else devices ask by themselves, within a minute.
void nudge(const std::string& home) {
  BrokerChoice choice;
  choice.home = home;
  if (const Result<amqp::BrokerUrl> broker = find_controller_login(choice)) {
    (void)amqp::nudge_devices(*broker);
  }
}

// Of the copies in `trial_folder`.
int add_copy(const AddFlags& flags, const fs::path& home, const fs::path& trial_folder,
             const std::string& picture, std::size_t classes) {
  std::error_code failed;
  for (const auto& [from, to] :
       {std::pair(flags.file, "model.onnx"), std::pair(flags.labels, "labels.txt")}) {
    fs::copy_file(from, trial_folder / to, failed);
    if (failed) {
      return complain(
          fmt::format("cannot copy {} into {}: {}", from, trial_folder.string(), failed.message()),
          kExitFailed);
    }
  }
  const Result<NetworkPorts> ports = inspect_onnx(trial_folder / "model.onnx");
  Result<CatalogueVariant> draft =
      ports ? draft_of(flags, *ports, trial_folder) : Result<CatalogueVariant>(ports.error());
  if (!draft) {
    return complain(draft.error().message, kExitFailed);
  }
  const Result<OwnModelReport> report =
      try_own_model({home, *draft, parse_output_kind(flags.output), picture, flags.expected});
  if (!report) {
    return complain("not added: " + report.error().message, kExitFailed);
  }
  draft->output.kind = report->kind;
  const std::string id = draft->variant.id;
  const std::string model = draft->variant.model;
  const InputSpec input = draft->input;
  if (!flags.rollout.empty()) {  // first: nobody is to have it who is not meant
    if (const Result<void> begun = begin_rollout(flags.home, id, flags.rollout); !begun) {
      return complain("not added: " + begun.error().message, kExitFailed);
    }
  }
  if (Result<void> kept = put_own(home / "models", std::move(*draft), flags.replace); !kept) {
    return complain("not added: " + kept.error().message,
                    kept.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed);
  }
  nudge(flags.home);
  fmt::print("{} is added: input '{}' {} x {}, {} classes, {}\n", id, printable(input.name),
             input.width, input.height, classes, to_string(report->kind));
  fmt::print("the test picture{}:", flags.picture.empty() ? " (a synthetic one)" : "");
  for (const Label& label : report->labels) {
    fmt::print(" {} {:.2f};", printable(label.name), label.score);
  }
  fmt::print(" {:.1f} ms here\n{} Ask for it by its model: juggler submit PHOTO.jpg --model {}\n",
             static_cast<double>(report->compute.count) / 1e3,
             flags.rollout.empty() ? "Devices that fetch their models get it within a minute."
                                   : "It goes to one device after the other (juggler models list).",
             model);
  return kExitDone;
}

int add(const AddFlags& flags) {
  (void)set_up_log("juggler", "off");
  const fs::path home = home_folder(flags.home);
  std::error_code failed;
  if (!fs::is_regular_file(flags.file, failed) ||
      fs::file_size(flags.file, failed) > kModelBytesMax) {
    return complain("there is no such file, or it is larger than 8 GiB: " + flags.file, kExitUsage);
  }
  for (const std::string& name : {flags.name, flags.model}) {
    if (!name.empty() && !fits_name(name)) {
      return complain(
          "a name has a-z, 0-9, '_', '-' and '.', not first, and at most 100 of them: " +
              std::string(printable(name)),
          kExitUsage);
    }
  }
  const auto labels = load_labels(flags.labels);
  if (!labels) {
    return complain(labels.error().message, kExitUsage);
  }
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(home); !runtime) {
    return complain("the model cannot be checked, and is not offered: " + runtime.error().message,
                    kExitFailed);
  }
  const Result<std::string> picture = flags.picture.empty()
                                          ? Result<std::string>(synthetic_jpeg())
                                          : read_file(flags.picture, kPictureBytesMax);
  if (!picture) {
    return complain(picture.error().message, kExitUsage);
  }
  // Copied once: what is checked here is what is kept, whatever becomes of the originals.
  const fs::path trial_folder = home / "models" / fmt::format(".trial-{}", getpid());
  fs::create_directories(trial_folder, failed);
  const int status = add_copy(flags, home, trial_folder, *picture, labels->size());
  fs::remove_all(trial_folder, failed);
  return status;
}

int remove_own(const std::string& home_flag, const std::string& id) {
  const fs::path folder = home_folder(home_flag) / "models";
  const OwnLock lock(folder);
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
  remove_unnamed(gone, *own);
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
  command
      ->add_option(
          "--rollout", flags->rollout,
          "To these devices one after the other, watched (all, group:NAME, label:KEY=VALUE), in "
          "place of to all at once")
      ->type_name("WHERE");
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
