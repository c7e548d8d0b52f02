#include "files/model_shelf.h"

#include <fstream>
#include <set>

#include "files/catalogue_text.h"
#include "files/sha256.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::map<std::string, ModelShelf::Stamp> ModelShelf::stamps() const {
  std::map<std::string, Stamp> stamps;
  for (const char* name : {kCatalogueFile, kOwnCatalogueFile}) {
    std::error_code failed;
    const std::uintmax_t size = fs::file_size(folder_ / name, failed);
    if (!failed) {
      stamps[name] = {size, fs::last_write_time(folder_ / name, failed)};
    }
  }
  return stamps;
}

Result<bool> ModelShelf::refresh() {
  std::map<std::string, Stamp> now = stamps();
  if (now == seen_ && !seen_.empty()) {
    return false;
  }
  Result<Catalogue> catalogue = Catalogue::load(folder_.parent_path());
  if (!catalogue) {
    return catalogue.error();
  }
  seen_ = std::move(now);
  catalogue_ = std::move(*catalogue);
  variants_.clear();
  files_.clear();
  labels_.clear();
  for (const CatalogueVariant& entry : catalogue_.variants()) {
    const std::string name = entry.labels.filename().string();
    if (!labels_.contains(name)) {
      const Result<std::string> digest = sha256_file(entry.labels);
      std::error_code failed;
      const std::uintmax_t size = fs::file_size(entry.labels, failed);
      if (!digest || failed) {
        continue;  // without its labels a variant is offered to nobody
      }
      labels_[name] = {*digest, {static_cast<std::int64_t>(size)}};
      files_[*digest] = entry.labels;
    }
    variants_.push_back(entry.variant);
    files_[entry.variant.sha256] = entry.file;
  }
  return true;
}

ShelfOffer ModelShelf::offer(const std::vector<std::string>& ids) const {
  ShelfOffer offer;
  std::vector<CatalogueVariant> entries;
  std::set<std::string> named;
  for (const std::string& id : ids) {
    const CatalogueVariant* entry = catalogue_.find(id);
    const auto labels =
        entry != nullptr ? labels_.find(entry->labels.filename().string()) : labels_.end();
    if (labels == labels_.end()) {
      continue;
    }
    entries.push_back(*entry);
    entries.back().file = entry->variant.sha256;
    entries.back().labels = labels->second.sha256;
    if (named.insert(labels->second.sha256).second) {
      offer.labels.push_back(labels->second);
    }
  }
  offer.catalogue = catalogue_text(entries, "fetched");
  return offer;
}

Result<std::string> ModelShelf::read(const std::string& sha256, Bytes offset,
                                     std::size_t bytes_max) const {
  const auto at = files_.find(sha256);
  if (at == files_.end()) {
    return fail(ErrorCode::NotFound, "no model has a file " + sha256 + " any more");
  }
  std::ifstream file(at->second, std::ios::binary);
  if (!file || !file.seekg(offset.count)) {
    return fail(ErrorCode::Unavailable, "cannot read " + at->second.filename().string());
  }
  std::string bytes(bytes_max, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) {
    return fail(ErrorCode::Unavailable, "cannot read " + at->second.filename().string());
  }
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace juggler
