#include "files/model_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "files/catalogue_text.h"
#include "files/sha256.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "fetched";
constexpr const char* kPart = ".part";

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

Error cannot_write(const fs::path& file, int code) {
  if (code == ENOSPC || code == EDQUOT) {
    return fail(ErrorCode::TooLarge,
                fmt::format("the disk is full: {} could not be written whole", file.string()));
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("cannot write {}: {}", file.string(), std::strerror(code)));
}

Result<void> write_all(const fs::path& file, int flags, std::string_view bytes, bool sync) {
  const int fd = ::open(file.c_str(), flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return cannot_write(file, errno);
  }
  int failed = 0;
  while (!bytes.empty() && failed == 0) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      failed = errno;
    }
  }
  if (failed == 0 && sync && fsync(fd) != 0) {
    failed = errno;
  }
  if (::close(fd) != 0 && failed == 0) {
    failed = errno;
  }
  return failed == 0 ? Result<void>() : cannot_write(file, failed);
}

// What a variant consists of.
std::vector<ContentFile> files_of(const CatalogueVariant& entry,
                                  const std::vector<ContentFile>& labels) {
  std::vector<ContentFile> files{{entry.variant.sha256, entry.size}};
  for (const ContentFile& file : labels) {
    if (file.sha256 == entry.labels.filename().string()) {
      files.push_back(file);
    }
  }
  return files;
}

// Files are named by their content, and nothing is named that nobody could fetch.
Result<void> check_names(const Catalogue& catalogue, const std::vector<ContentFile>& labels) {
  for (const CatalogueVariant& entry : catalogue.variants()) {
    if (entry.file.filename().string() != entry.variant.sha256) {
      return fail(ErrorCode::Corrupt, entry.variant.id + ": its file is not named by its content");
    }
    if (files_of(entry, labels).size() != 2) {
      return fail(ErrorCode::Corrupt, entry.variant.id + ": its labels are not among the files");
    }
  }
  return {};
}

std::string megabytes(Bytes bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes.count) / 1e6);
}

}  // namespace

ModelFolder::Owner ModelFolder::owner(const fs::path& home) {
  std::error_code failed;
  const fs::path folder = home / "models";
  if (fs::exists(folder / kMarker, failed)) {
    return Owner::Fetched;
  }
  const bool models =
      fs::exists(folder / kCatalogueFile, failed) || fs::exists(folder / kOwnCatalogueFile, failed);
  return models ? Owner::Person : Owner::Nobody;
}

Result<void> ModelFolder::prepare() const {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot make {}: {}", folder_.string(), failed.message()));
  }
  return write_all(folder_ / kMarker, O_TRUNC,
                   "juggler-consumer fetches what lies here, and removes what is not wanted.\n",
                   false);
}

std::string ModelFolder::holds() const {
  const std::string text = text_of(folder_ / kCatalogueFile);
  return text.empty() ? std::string() : sha256_hex(text);
}

std::vector<std::string> ModelFolder::held() const {
  std::vector<std::string> ids;
  if (const auto catalogue = Catalogue::load_file(folder_, kCatalogueFile)) {
    for (const CatalogueVariant& entry : catalogue->variants()) {
      ids.push_back(entry.variant.id);
    }
  }
  return ids;
}

bool ModelFolder::is_whole(const ContentFile& file) const {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(file_of(file), failed);
  if (failed || size != static_cast<std::uintmax_t>(file.size.count)) {
    return false;
  }
  const fs::file_time_type modified = fs::last_write_time(file_of(file), failed);
  if (const auto known = verified_.find(file.sha256);
      known != verified_.end() && known->second == modified) {
    return true;
  }
  const Result<std::string> digest = sha256_file(file_of(file));
  const bool whole = digest && *digest == file.sha256;
  if (whole) {
    verified_[file.sha256] = modified;
  }
  return whole;
}

// What may be fetched now. What is no longer wanted lies there until the device has come back with
// what is, and counts: a disk is never filled for the time of a change.
Bytes ModelFolder::disk_free() const {
  std::error_code failed;
  const fs::space_info space = fs::space(folder_, failed);
  const std::int64_t available =
      failed ? 0
             : static_cast<std::int64_t>(std::min<std::uintmax_t>(space.available, INT64_MAX / 4));
  return {std::max<std::int64_t>(available - limits_.disk_kept_free.count, 0)};
}

Result<FetchPlan> ModelFolder::plan(const std::string& text,
                                    const std::vector<ContentFile>& labels) const {
  const Result<Catalogue> catalogue = Catalogue::parse(text, folder_);
  if (!catalogue) {
    return fail(ErrorCode::Corrupt, "what is wanted cannot be read: " + catalogue.error().message);
  }
  if (Result<void> named = check_names(*catalogue, labels); !named) {
    return named.error();
  }
  std::vector<const CatalogueVariant*> by_size;
  for (const CatalogueVariant& entry : catalogue->variants()) {
    by_size.push_back(&entry);
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto* a, const auto* b) { return a->size < b->size; });
  FetchPlan plan;
  std::set<std::string> chosen;
  std::set<std::string> counted;
  const Bytes free = disk_free();
  Bytes used;
  Bytes fetched;
  for (const CatalogueVariant* entry : by_size) {
    Bytes more;
    Bytes fetches;
    for (const ContentFile& file : files_of(*entry, labels)) {
      if (!counted.contains(file.sha256)) {
        more += file.size;
        fetches += is_whole(file) ? Bytes{} : file.size - have(file);
      }
    }
    if (entry->size > limits_.memory && limits_.memory.count > 0) {
      plan.left_out.push_back(
          {entry->variant.id, fmt::format("its file has {}, the device {} of memory",
                                          megabytes(entry->size), megabytes(limits_.memory))});
      continue;
    }
    if (used + more > limits_.bytes_max) {
      plan.left_out.push_back(
          {entry->variant.id,
           fmt::format("no room: it needs {} more, and models may take {} "
                       "(--models-max), of which {} are taken",
                       megabytes(more), megabytes(limits_.bytes_max), megabytes(used))});
      continue;
    }
    if (fetched + fetches > free) {
      plan.left_out.push_back(
          {entry->variant.id,
           fmt::format("no room on the disk: {} of it are to be fetched, and {} may be written "
                       "beside what lies there ({} are kept free)",
                       megabytes(fetches), megabytes(free - fetched),
                       megabytes(limits_.disk_kept_free))});
      continue;
    }
    used += more;
    fetched += fetches;
    chosen.insert(entry->variant.id);
    for (const ContentFile& file : files_of(*entry, labels)) {
      if (counted.insert(file.sha256).second && !is_whole(file)) {
        plan.missing.push_back(file);
      }
    }
  }
  std::vector<CatalogueVariant> kept;
  for (const CatalogueVariant& entry : catalogue->variants()) {
    if (chosen.contains(entry.variant.id)) {
      kept.push_back(entry);
    }
  }
  plan.catalogue = plan.left_out.empty() ? text : catalogue_text(kept, "fetched");
  remove_parts_but(plan.missing);
  return plan;
}

void ModelFolder::remove_parts_but(const std::vector<ContentFile>& kept) const {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, failed)) {
    const fs::path& path = entry.path();
    const bool wanted = std::any_of(kept.begin(), kept.end(), [&](const ContentFile& file) {
      return file.sha256 == path.stem().string();
    });
    if (path.extension() == kPart && !wanted) {
      fs::remove(path, failed);
    }
  }
}

Bytes ModelFolder::have(const ContentFile& file) const {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(part_of(file), failed);
  return {failed ? 0 : static_cast<std::int64_t>(size)};
}

Result<void> ModelFolder::append(const ContentFile& file, Bytes offset,
                                 std::string_view bytes) const {
  const Bytes here = have(file);
  if (offset != here) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{}: bytes at {} do not follow the {} that are here", file.sha256,
                            offset.count, here.count));
  }
  if (offset.count + static_cast<std::int64_t>(bytes.size()) > file.size.count) {
    return fail(ErrorCode::Corrupt, file.sha256 + ": more bytes than the file has");
  }
  Result<void> written = write_all(part_of(file), O_APPEND, bytes, false);
  if (!written && written.error().code == ErrorCode::TooLarge) {
    std::error_code failed;
    fs::remove(part_of(file), failed);
  }
  return written;
}

Result<void> ModelFolder::complete(const ContentFile& file) const {
  std::error_code failed;
  if (file.size.count == 0) {  // nothing was appended
    if (Result<void> made = write_all(part_of(file), O_TRUNC, "", false); !made) {
      return made;
    }
  }
  const Result<std::string> digest = sha256_file(part_of(file));
  if (!digest || *digest != file.sha256 || have(file) != file.size) {
    fs::remove(part_of(file), failed);
    return fail(ErrorCode::Corrupt, fmt::format("what was fetched as {} is something else ({})",
                                                file.sha256, digest.value_or("unreadable")));
  }
  // On the disk before it has its name: after a power cut there is a whole file or none.
  if (Result<void> synced = write_all(part_of(file), O_APPEND, "", true); !synced) {
    return synced;
  }
  fs::rename(part_of(file), file_of(file), failed);
  return failed ? Result<void>(fail(
                      ErrorCode::Unavailable,
                      fmt::format("cannot write {}: {}", file_of(file).string(), failed.message())))
                : Result<void>();
}

Result<void> ModelFolder::install(const std::string& catalogue) const {
  const fs::path next = folder_ / "catalogue.next";
  if (Result<void> written = write_all(next, O_TRUNC, catalogue, true); !written) {
    return written;
  }
  std::error_code failed;
  fs::rename(next, folder_ / kCatalogueFile, failed);
  return failed ? Result<void>(fail(ErrorCode::Unavailable,
                                    "cannot install the catalogue: " + failed.message()))
                : Result<void>();
}

void ModelFolder::sweep() const {
  const auto catalogue = Catalogue::load_file(folder_, kCatalogueFile);
  if (!catalogue) {
    return;  // what it names is not known: nothing is removed
  }
  std::set<std::string> named;
  for (const CatalogueVariant& entry : catalogue->variants()) {
    named.insert(entry.file.filename().string());
    named.insert(entry.labels.filename().string());
  }
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, failed)) {
    const std::string name = entry.path().filename().string();
    if (is_sha256(name) && !named.contains(name)) {
      fs::remove(entry.path(), failed);
    }
  }
}

}  // namespace juggler
