#include "apps/label_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "files/catalogue.h"
#include "inference/onnx_engine.h"
#include "inference/twin_labels.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

struct LabelFlags {
  std::vector<std::string> pictures;
  std::string home;
  std::string out;
  std::vector<std::string> variants;
  std::string log_level = "warn";
};

// The variants asked for; else all with trained weights; where there are none, all.
std::vector<std::string> variants_of(const Catalogue& catalogue,
                                     const std::vector<std::string>& wanted) {
  if (!wanted.empty()) {
    return wanted;
  }
  std::vector<std::string> pretrained;
  std::vector<std::string> all;
  for (const CatalogueVariant& entry : catalogue.variants()) {
    all.push_back(entry.variant.id);
    if (entry.variant.weights == Weights::Pretrained) {
      pretrained.push_back(entry.variant.id);
    }
  }
  return pretrained.empty() ? all : pretrained;
}

void show(const LabelProgress& progress) {
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r{} of {}: {} by {}\x1b[K", progress.done + 1, progress.total,
               progress.picture, progress.variant);
  }
}

int label(const LabelFlags& flags) {
  if (Result<void> log = set_up_log("label-pictures", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  const std::filesystem::path home = home_folder(flags.home);
  const Result<Catalogue> catalogue = Catalogue::load(home);
  if (!catalogue) {
    return complain(catalogue.error().message, kExitFailed);
  }
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const Result<std::unique_ptr<InferenceEngine>> engine =
      make_onnx_engine(*catalogue, {home, cores, false, std::nullopt});
  if (!engine) {
    return complain(engine.error().message, kExitFailed);
  }
  LabelJob job;
  job.pictures.assign(flags.pictures.begin(), flags.pictures.end());
  job.variants = variants_of(*catalogue, flags.variants);
  job.file = flags.out;
  std::error_code failed;
  if (job.file.has_parent_path()) {
    std::filesystem::create_directories(job.file.parent_path(), failed);
  }
  const Result<LabelSummary> summary = label_pictures(job, *catalogue, **engine, show);
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r\x1b[K");
  }
  if (!summary) {
    return complain(summary.error().message, kExitFailed);
  }
  fmt::print("{} labels computed, {} known before, {} picture{} skipped\n", summary->computed,
             summary->reused, summary->skipped, summary->skipped == 1 ? "" : "s");
  return kExitDone;
}

}  // namespace

void add_label_command(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("label-pictures",
                         "Compute labels for the answers of twins: every picture with every "
                         "variant, once; what the file has already is kept");
  const auto flags = std::make_shared<LabelFlags>();
  command->add_option("pictures", flags->pictures, "Pictures, and folders with .jpg, .jpeg, .png")
      ->required()
      ->type_name("FILE|DIR...");
  command->add_option("--home", flags->home, "Folder of the models (see juggler up --help)")
      ->type_name("DIR");
  command->add_option("--out", flags->out, "The file of labels, JSON lines")
      ->required()
      ->type_name("FILE");
  command->add_option("--variants", flags->variants, "These variants only")
      ->delimiter(',')
      ->type_name("A,B,...");
  command->add_option("--log-level", flags->log_level, "trace, debug, info, warn, error or off");
  command->callback([flags, &action] { action = [flags] { return label(*flags); }; });
}

}  // namespace juggler
