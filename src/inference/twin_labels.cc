#include "inference/twin_labels.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "files/sha256.h"
#include "files/write_file.h"
#include "inference/image.h"

namespace juggler {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLineBytesMax = std::size_t{256} << 10U;
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{512} << 20U;
constexpr std::size_t kPicturesMax = 10'000;

std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? std::optional(at->get<std::string>())
                                               : std::nullopt;
}

std::optional<Label> label_of(const Json& item) {
  if (!item.is_object()) {
    return std::nullopt;
  }
  const auto index = item.find("index");
  const auto score = item.find("score");
  const std::optional<std::string> name = text_of(item, "name");
  if (index == item.end() || !index->is_number_integer() || score == item.end() ||
      !score->is_number() || !name.has_value()) {
    return std::nullopt;
  }
  const auto number = index->get<std::int64_t>();
  if (number < 0 || number > 1'000'000) {
    return std::nullopt;
  }
  return Label{static_cast<int>(number), *name, score->get<double>()};
}

// Adds one line; false where it is not one of ours.
bool add_line(std::string_view line, TwinLabels& labels) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return false;
  }
  const std::optional<std::string> payload = text_of(object, "payload_sha256");
  const std::optional<std::string> variant = text_of(object, "variant");
  const auto list = object.find("labels");
  if (!payload.has_value() || !is_sha256(*payload) || !variant.has_value() ||
      list == object.end() || !list->is_array() || list->size() > kTopKMax) {
    return false;
  }
  TwinLabels::Entry entry;
  entry.model_sha256 = text_of(object, "model_sha256").value_or("");
  for (const Json& item : *list) {
    const std::optional<Label> label = label_of(item);
    if (!label.has_value()) {
      return false;
    }
    entry.labels.push_back(*label);
  }
  labels.set(*payload, *variant, std::move(entry));
  return true;
}

bool is_picture_name(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

Result<std::vector<std::filesystem::path>> list_pictures(
    const std::vector<std::filesystem::path>& places) {
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& place : places) {
    std::error_code failed;
    if (!std::filesystem::is_directory(place, failed)) {
      files.push_back(place);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(place, failed)) {
      if (entry.is_regular_file(failed) && is_picture_name(entry.path())) {
        files.push_back(entry.path());
      }
    }
  }
  if (files.size() > kPicturesMax) {
    return fail(ErrorCode::TooLarge, "more than " + std::to_string(kPicturesMax) + " pictures");
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

// A picture that can be labelled, or nothing.
std::optional<EngineInput> read_picture(const std::filesystem::path& path, int top_k) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  std::ifstream file(path, std::ios::binary);
  if (failed || !file || size > static_cast<std::uintmax_t>(kPayloadMax.count)) {
    spdlog::warn("{}: not labelled: cannot be read, or larger than 8 MiB", path.string());
    return std::nullopt;
  }
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  const Result<ImageHeader> header = read_header(bytes);
  if (!header) {
    spdlog::warn("{}: not labelled: {}", path.string(), header.error().message);
    return std::nullopt;
  }
  EngineInput input;
  input.payload.kind = header->kind;
  input.payload.width = header->width;
  input.payload.height = header->height;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(std::move(bytes));
  input.top_k = top_k;
  return input;
}

struct Hashed {
  std::filesystem::path path;
  std::string sha256;
};

std::vector<Hashed> hash_all(const std::vector<std::filesystem::path>& files) {
  std::vector<Hashed> hashed;
  for (const std::filesystem::path& path : files) {
    if (const Result<std::string> digest = sha256_file(path); digest) {
      hashed.push_back({path, *digest});
    } else {
      spdlog::warn("{}: not labelled: {}", path.string(), digest.error().message);
    }
  }
  return hashed;
}

// Labels what one variant lacks.
Result<void> label_with(const CatalogueVariant& entry, const std::vector<const Hashed*>& missing,
                        int top_k, InferenceEngine& engine, TwinLabels& labels,
                        LabelSummary& summary, std::set<std::filesystem::path>& unusable,
                        const std::function<void(const Hashed&)>& step) {
  const std::string& id = entry.variant.id;
  if (Result<void> ok = engine.load(id); !ok) {
    return ok;
  }
  for (const Hashed* picture : missing) {
    step(*picture);
    if (unusable.contains(picture->path)) {
      continue;  // it was said once
    }
    const std::optional<EngineInput> input = read_picture(picture->path, top_k);
    if (!input.has_value()) {
      unusable.insert(picture->path);
      continue;
    }
    BatchReport report = engine.run(id, {&*input, 1});
    EngineOutput& output = report.outputs.front();
    if (output.status != AttemptStatus::Ok) {
      spdlog::warn("{}: not labelled: {}", picture->path.string(), output.reason);
      unusable.insert(picture->path);
      continue;
    }
    labels.set(picture->sha256, id, {entry.variant.sha256, std::move(output.labels)});
    ++summary.computed;
  }
  engine.unload(id);
  return {};
}

}  // namespace

Result<TwinLabels> TwinLabels::load(const std::filesystem::path& file) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  std::ifstream stream(file, std::ios::binary);
  if (failed || !stream) {
    return fail(ErrorCode::NotFound, "cannot open the twins' labels " + file.string());
  }
  if (size > kFileBytesMax) {
    return fail(ErrorCode::TooLarge, file.string() + ": larger than 512 MiB");
  }
  return parse(std::string(std::istreambuf_iterator<char>(stream), {}), file.string());
}

Result<TwinLabels> TwinLabels::parse(std::string_view text, const std::string& origin) {
  TwinLabels labels;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) {
      continue;
    }
    if (line.size() > kLineBytesMax || labels.size() >= kEntriesMax || !add_line(line, labels)) {
      return fail(ErrorCode::Corrupt, origin + ":" + std::to_string(number) +
                                          ": not a line of twin labels, or one too many");
    }
  }
  return labels;
}

Result<void> TwinLabels::save(const std::filesystem::path& file) const {
  std::string text;
  for (const auto& [key, entry] : entries_) {
    Json list = Json::array();
    for (const Label& label : entry.labels) {
      list.push_back({{"index", label.index}, {"name", label.name}, {"score", label.score}});
    }
    const Json line = {{"payload_sha256", key.first},
                       {"variant", key.second},
                       {"model_sha256", entry.model_sha256},
                       {"labels", std::move(list)}};
    text += line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }
  return write_file(file, text);
}

const TwinLabels::Entry* TwinLabels::find(const std::string& payload_sha256,
                                          const std::string& variant) const {
  const auto at = entries_.find({payload_sha256, variant});
  return at != entries_.end() ? &at->second : nullptr;
}

void TwinLabels::set(const std::string& payload_sha256, const std::string& variant, Entry entry) {
  entries_[{payload_sha256, variant}] = std::move(entry);
}

Result<LabelSummary> label_pictures(const LabelJob& job, const Catalogue& catalogue,
                                    InferenceEngine& engine,
                                    const std::function<void(const LabelProgress&)>& progress) {
  Result<std::vector<std::filesystem::path>> files = list_pictures(job.pictures);
  if (!files) {
    return files.error();
  }
  TwinLabels labels;
  if (std::error_code failed; std::filesystem::exists(job.file, failed)) {
    Result<TwinLabels> known = TwinLabels::load(job.file);
    if (known) {
      labels = std::move(*known);
    } else {
      spdlog::warn("{}; it is written anew", known.error().message);
    }
  }
  const std::vector<Hashed> pictures = hash_all(*files);
  LabelSummary summary;
  std::set<std::filesystem::path> unusable;
  LabelProgress state;
  state.total = pictures.size() * job.variants.size();
  for (const std::string& id : job.variants) {
    const CatalogueVariant* entry = catalogue.find(id);
    if (entry == nullptr) {
      return fail(ErrorCode::NotFound, "variant '" + id + "' is not in the model catalogue");
    }
    std::vector<const Hashed*> missing;
    for (const Hashed& picture : pictures) {
      const TwinLabels::Entry* known = labels.find(picture.sha256, id);
      if (known != nullptr && known->model_sha256 == entry->variant.sha256) {
        ++summary.reused;
        ++state.done;
      } else {
        missing.push_back(&picture);
      }
    }
    if (missing.empty()) {
      continue;
    }
    state.variant = id;
    const auto step = [&](const Hashed& picture) {
      state.picture = picture.path.filename().string();
      if (progress) {
        progress(state);
      }
      ++state.done;
    };
    if (Result<void> ok =
            label_with(*entry, missing, job.top_k, engine, labels, summary, unusable, step);
        !ok) {
      return ok.error();
    }
    if (Result<void> ok = labels.save(job.file); !ok) {
      return ok.error();
    }
  }
  summary.skipped = unusable.size();
  return summary;
}

}  // namespace juggler
