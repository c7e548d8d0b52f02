#pragma once
// Models that somebody has added by `juggler models add`: their catalogue, own.toml, beside the one
// that set-up has made, and their files.

#include <filesystem>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"

namespace juggler {

// While it lives no other command changes them: each reads, changes and writes the whole catalogue.
class OwnLock {
 public:
  explicit OwnLock(const std::filesystem::path& folder);
  ~OwnLock();
  OwnLock(const OwnLock&) = delete;
  OwnLock& operator=(const OwnLock&) = delete;

 private:
  int fd_;
};

// None where none was added.
Result<std::vector<CatalogueVariant>> own_entries(const std::filesystem::path& folder);

// In one step: who reads it meanwhile has the old one or the new.
Result<void> write_own(const std::filesystem::path& folder,
                       const std::vector<CatalogueVariant>& entries);

// Moves an entry's files there, named by their content so that none replaces another, and adds it.
//
// errors  InvalidArgument: its id is taken
Result<void> put_own(const std::filesystem::path& folder, CatalogueVariant entry, bool replace);

// Removes the files of an entry that is gone, but for those that another names.
void remove_unnamed(const CatalogueVariant& gone, const std::vector<CatalogueVariant>& own);

}  // namespace juggler
