#include "apps/own_models.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "files/catalogue_text.h"
#include "files/sha256.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

void sync_to_disk(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

Result<void> move_to(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  sync_to_disk(from);
  fs::rename(from, to, failed);
  return failed ? Result<void>(fail(ErrorCode::Unavailable,
                                    "cannot write " + to.string() + ": " + failed.message()))
                : Result<void>();
}

}  // namespace

OwnLock::OwnLock(const fs::path& folder)
    : fd_(::open((folder / "own.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (fd_ >= 0) {
    ::flock(fd_, LOCK_EX);
  }
}

OwnLock::~OwnLock() {
  if (fd_ >= 0) {
    ::close(fd_);  // frees it
  }
}

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
  sync_to_disk(next);
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

void remove_unnamed(const CatalogueVariant& gone, const std::vector<CatalogueVariant>& own) {
  std::error_code failed;
  for (const fs::path& file : {gone.file, gone.labels}) {
    const bool used = std::any_of(own.begin(), own.end(), [&](const CatalogueVariant& one) {
      return one.file == file || one.labels == file;
    });
    if (!used) {
      fs::remove(file, failed);
    }
  }
}

Result<void> put_own(const fs::path& folder, CatalogueVariant entry, bool replace) {
  const OwnLock lock(folder);
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
  const auto old = std::find_if(own->begin(), own->end(), same);
  const std::optional<CatalogueVariant> replaced =
      old != own->end() ? std::optional(*old) : std::nullopt;
  std::erase_if(*own, same);
  const Result<std::string> labels_digest = sha256_file(entry.labels);
  if (!labels_digest) {
    return labels_digest.error();
  }
  const std::string stem = entry.variant.id + "-" + entry.variant.sha256.substr(0, 12);
  const fs::path labels =
      entry.variant.network + "-" + labels_digest->substr(0, 12) + ".labels.txt";
  if (Result<void> moved = move_to(entry.file, folder / (stem + ".onnx")); !moved) {
    return moved;
  }
  if (Result<void> moved = move_to(entry.labels, folder / labels); !moved) {
    return moved;
  }
  entry.file = folder / (stem + ".onnx");
  entry.labels = folder / labels;
  own->push_back(std::move(entry));
  Result<void> written = write_own(folder, *own);
  if (written && replaced.has_value()) {
    remove_unnamed(*replaced, *own);
  }
  return written;
}

}  // namespace juggler
