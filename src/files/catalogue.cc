#include "files/catalogue.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>

#include "core/device.h"
#include "core/names.h"
#include "files/sha256.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

constexpr std::array<Named<OutputKind>, 2> kOutputKinds{
    {{OutputKind::Logits, "logits"}, {OutputKind::Probabilities, "probabilities"}}};
constexpr std::array<std::string_view, 3> kPrecisions{"fp32", "fp16", "int8"};
constexpr std::int64_t kSideMax = 4096;
constexpr std::int64_t kModelBytesMax = std::int64_t{8} << 30U;
constexpr std::size_t kLabelsMax = 100'000;

bool plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

std::filesystem::path file_in(TomlSection& section, std::string_view key,
                              const std::filesystem::path& folder) {
  const std::string name = section.text(key);
  if (!name.empty() && !plain_file_name(name)) {
    section.refuse(key, "must be a file name without folders");
  }
  return folder / name;
}

std::array<float, 3> three_floats(TomlSection& section, std::string_view key, NumberRange range) {
  const std::vector<double> values = section.numbers(key, 3, range);
  return {static_cast<float>(values[0]), static_cast<float>(values[1]),
          static_cast<float>(values[2])};
}

InputSpec read_input(TomlSection section) {
  InputSpec input;
  input.name = section.text("name");
  input.width = static_cast<int>(section.integer("width", {1, kSideMax}));
  input.height = static_cast<int>(section.integer("height", {1, kSideMax}));
  input.resize_shorter_px = static_cast<int>(section.integer("resize_shorter_px", {1, kSideMax}));
  input.mean = three_floats(section, "mean", {-10.0, 10.0});
  input.stddev = three_floats(section, "std", {0.001, 10.0});
  if (input.resize_shorter_px < std::max(input.width, input.height)) {
    section.refuse("resize_shorter_px", "must be at least width and height: the crop lies inside");
  }
  section.warn_unknown();
  return input;
}

OutputSpec read_output(TomlSection section) {
  OutputSpec output;
  output.name = section.text("name");
  output.kind = section.choice("kind", parse_output_kind, "logits, probabilities");
  section.warn_unknown();
  return output;
}

Variant read_facts(TomlSection& section) {
  Variant facts;
  facts.id = section.text("id");
  facts.model = section.text("model");
  facts.network = section.text("network");
  facts.precision = section.text("precision");
  if (std::find(kPrecisions.begin(), kPrecisions.end(), facts.precision) == kPrecisions.end()) {
    section.refuse("precision", "must be fp32, fp16 or int8");
  }
  if (facts.id.size() > 128) {
    section.refuse("id", "is longer than 128 bytes");
  }
  const double percent = section.number("top1_percent", {0.0, 100.0});
  facts.accuracy = {std::llround(percent * 1000.0)};
  facts.accuracy_evidence = section.choice("top1_kind", parse_evidence,
                                           "measured, published, derived, estimated, assumed");
  facts.weights = section.choice("weights", parse_weights, "pretrained, synthetic");
  facts.sha256 = section.text("sha256");
  if (!is_sha256(facts.sha256)) {
    section.refuse("sha256", "must be 64 lower-case hexadecimal digits");
  }
  return facts;
}

CatalogueVariant read_variant(TomlSection& section, const std::filesystem::path& folder) {
  CatalogueVariant entry;
  entry.variant = read_facts(section);
  entry.file = file_in(section, "file", folder);
  entry.size = {section.integer("size_bytes", {1, kModelBytesMax})};
  entry.accuracy_source = section.text("top1_source");
  entry.labels = file_in(section, "labels", folder);
  entry.macs_m = section.number("macs_m", {0.0, 1e7});
  entry.licence = section.text("licence");
  if (std::optional<TomlSection> input = section.maybe_section("input")) {
    entry.input = read_input(*input);
  } else {
    section.refuse("input", "is missing: [variant.input]");
  }
  if (std::optional<TomlSection> output = section.maybe_section("output")) {
    entry.output = read_output(*output);
  } else {
    section.refuse("output", "is missing: [variant.output]");
  }
  section.warn_unknown();
  return entry;
}

Result<std::vector<CatalogueVariant>> read_all(TomlDocument& document,
                                               const std::filesystem::path& folder) {
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  root.text_or("generated", "");
  std::vector<CatalogueVariant> variants;
  for (TomlSection& section : root.sections("variant", kVariantsMax)) {
    variants.push_back(read_variant(section, folder));
    const auto same = [&](const CatalogueVariant& v) {
      return v.variant.id == variants.back().variant.id;
    };
    if (std::count_if(variants.begin(), variants.end(), same) > 1) {
      section.refuse("id", "'" + variants.back().variant.id + "' is there twice");
    }
  }
  root.warn_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  std::sort(variants.begin(), variants.end(),
            [](const auto& a, const auto& b) { return a.variant.id < b.variant.id; });
  return variants;
}

// What identifies a file's content for as long as nobody plays tricks.
struct FileStamp {
  std::uintmax_t size = 0;
  std::filesystem::file_time_type modified;
  std::string sha256;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// Files verified in this process.
class VerifiedFiles {
 public:
  bool contains(const std::string& path, const FileStamp& stamp) {
    const std::lock_guard lock(mutex_);
    const auto at = stamps_.find(path);
    return at != stamps_.end() && at->second == stamp;
  }
  void add(const std::string& path, const FileStamp& stamp) {
    const std::lock_guard lock(mutex_);
    stamps_[path] = stamp;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, FileStamp> stamps_;
};

VerifiedFiles& verified_files() {
  static VerifiedFiles files;
  return files;
}

}  // namespace

std::string_view to_string(OutputKind kind) { return name_of(kOutputKinds, kind); }
std::optional<OutputKind> parse_output_kind(std::string_view name) {
  return value_of(kOutputKinds, name);
}

Result<Catalogue> Catalogue::load(const std::filesystem::path& home) {
  const std::filesystem::path folder = home / "models";
  Result<Catalogue> catalogue = load_file(folder, kCatalogueFile);
  Result<Catalogue> own = load_file(folder, kOwnCatalogueFile);
  const auto absent = [](const Result<Catalogue>& read) {
    return !read && read.error().code == ErrorCode::NotFound;
  };
  if (!catalogue && !(absent(catalogue) && own)) {
    return catalogue.error();
  }
  if (!own && !absent(own)) {
    return own.error();
  }
  std::vector<CatalogueVariant> all =
      catalogue ? std::move(catalogue->variants_) : std::vector<CatalogueVariant>();
  for (CatalogueVariant& entry : own ? own->variants_ : std::vector<CatalogueVariant>()) {
    const auto at =
        std::lower_bound(all.begin(), all.end(), entry,
                         [](const auto& a, const auto& b) { return a.variant.id < b.variant.id; });
    if (at != all.end() && at->variant.id == entry.variant.id) {
      return fail(ErrorCode::InvalidArgument,
                  "model catalogue: '" + entry.variant.id + "' is in both " + kCatalogueFile +
                      " and " + kOwnCatalogueFile + ": remove one (juggler models remove)");
    }
    all.insert(at, std::move(entry));
  }
  if (all.size() > kVariantsMax) {
    return fail(ErrorCode::TooLarge, "model catalogue: more than 256 variants");
  }
  Catalogue whole;
  whole.variants_ = std::move(all);
  return whole;
}

Result<Catalogue> Catalogue::load_file(const std::filesystem::path& folder,
                                       const std::string& name) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(folder / name);
  if (!document) {
    return fail(document.error().code, "model catalogue: " + document.error().message);
  }
  Result<std::vector<CatalogueVariant>> variants = read_all(**document, folder);
  if (!variants) {
    return variants.error();
  }
  Catalogue catalogue;
  catalogue.variants_ = std::move(*variants);
  return catalogue;
}

Result<Catalogue> Catalogue::parse(std::string_view text, const std::filesystem::path& folder) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, "catalogue.toml");
  if (!document) {
    return document.error();
  }
  Result<std::vector<CatalogueVariant>> variants = read_all(**document, folder);
  if (!variants) {
    return variants.error();
  }
  Catalogue catalogue;
  catalogue.variants_ = std::move(*variants);
  return catalogue;
}

const CatalogueVariant* Catalogue::find(std::string_view id) const {
  const auto at = std::lower_bound(
      variants_.begin(), variants_.end(), id,
      [](const CatalogueVariant& v, std::string_view wanted) { return v.variant.id < wanted; });
  return at != variants_.end() && at->variant.id == id ? &*at : nullptr;
}

std::optional<Variant> Catalogue::describe(std::string_view id) const {
  if (const CatalogueVariant* own = find(id)) {
    return own->variant;
  }
  constexpr std::string_view kHalf = "-fp16";
  if (!id.ends_with(kHalf)) {
    return std::nullopt;
  }
  const std::string network(id.substr(0, id.size() - kHalf.size()));
  const CatalogueVariant* full = find(network + "-fp32");
  if (full == nullptr) {
    return std::nullopt;
  }
  Variant half = full->variant;
  half.id = std::string(id);
  half.precision = "fp16";
  half.accuracy_evidence = std::max(half.accuracy_evidence, Evidence::Derived);
  half.sha256.clear();
  return half;
}

Result<void> verify_model_file(const CatalogueVariant& variant) {
  std::error_code failed;
  FileStamp stamp;
  stamp.size = std::filesystem::file_size(variant.file, failed);
  if (failed) {
    return fail(ErrorCode::NotFound, variant.variant.id + ": cannot open its model file " +
                                         variant.file.string() + ": " + failed.message());
  }
  stamp.modified = std::filesystem::last_write_time(variant.file, failed);
  stamp.sha256 = variant.variant.sha256;
  if (verified_files().contains(variant.file.string(), stamp)) {
    return {};
  }
  if (stamp.size != static_cast<std::uintmax_t>(variant.size.count)) {
    return fail(ErrorCode::Corrupt, variant.file.string() + " has " + std::to_string(stamp.size) +
                                        " bytes, the catalogue says " +
                                        std::to_string(variant.size.count) +
                                        ": fetch or export the model again");
  }
  const Result<std::string> digest = sha256_file(variant.file);
  if (!digest) {
    return digest.error();
  }
  if (*digest != variant.variant.sha256) {
    return fail(ErrorCode::Corrupt, variant.file.string() + " has SHA-256 " + *digest +
                                        ", the catalogue says " + variant.variant.sha256 +
                                        ": fetch or export the model again");
  }
  verified_files().add(variant.file.string(), stamp);
  return {};
}

Result<std::vector<std::string>> load_labels(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    return fail(ErrorCode::NotFound, "cannot open the labels file " + path.string());
  }
  std::vector<std::string> labels;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (line.size() > 1024 || labels.size() >= kLabelsMax) {
      return fail(ErrorCode::TooLarge, path.string() + ":" + std::to_string(labels.size() + 1) +
                                           ": at most 100000 labels of 1024 bytes");
    }
    labels.push_back(std::move(line));
  }
  return labels;
}

}  // namespace juggler
