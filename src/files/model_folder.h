#pragma once
// The models that a device holds because its controller wants them: `<home>/models`, each file
// named by the SHA-256 of what is in it, so that no other can take its place. Parts of files, what
// fits, and what is no longer wanted. Does not talk to anybody. thread: one

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "files/catalogue.h"

namespace juggler {

struct ContentFile {
  std::string sha256;
  Bytes size;

  friend bool operator==(const ContentFile&, const ContentFile&) = default;
};

struct ModelLimits {
  Bytes bytes_max = mebibytes(2048);      // of the files that are wanted
  Bytes disk_kept_free = mebibytes(256);  // for everything else on the disk
  Bytes memory;                           // of the device; a larger file is not worth its way
};

// A variant that is not taken.
struct LeftOut {
  std::string variant;
  std::string problem;

  friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

// What is to be done so that a device holds what is wanted.
struct FetchPlan {
  std::string catalogue;             // of what fits
  std::vector<ContentFile> missing;  // smallest first
  std::vector<LeftOut> left_out;
};

class ModelFolder {
 public:
  enum class Owner {
    Nobody,  // there are no models yet
    Fetched,
    Person,  // somebody put them there: nothing is fetched into it, and nothing removed
  };
  static Owner owner(const std::filesystem::path& home);

  ModelFolder(const std::filesystem::path& home, ModelLimits limits)
      : folder_(home / "models"), limits_(limits) {}

  // Makes the folder, and marks it as one that is fetched.
  Result<void> prepare() const;

  // The SHA-256 of the catalogue that counts now; empty where there is none.
  std::string holds() const;
  // The ids of the variants in it.
  std::vector<std::string> held() const;

  // What has to be fetched for that catalogue, whose files are named by their content. The
  // smallest variants come first; those that fit neither the memory nor the disk are left out.
  // Parts of what is no longer wanted are removed; files that have gone bad, too.
  //
  // errors  Corrupt: it is no such catalogue
  Result<FetchPlan> plan(const std::string& catalogue,
                         const std::vector<ContentFile>& labels) const;

  // How much of a file is here: where to go on.
  Bytes have(const ContentFile& file) const;
  // Appends to the part that is here.
  //
  // errors  TooLarge: the disk is full, and the part is removed to make room
  Result<void> append(const ContentFile& file, Bytes offset, std::string_view bytes) const;
  // Checks a part that is whole, and makes it a file.
  //
  // errors  Corrupt: it is something else, and removed
  Result<void> complete(const ContentFile& file) const;

  // Makes this catalogue the one that counts, in one step.
  Result<void> install(const std::string& catalogue) const;
  // Removes the files that the catalogue does not name. requires  nothing has them open
  void sweep() const;

 private:
  std::filesystem::path file_of(const ContentFile& file) const { return folder_ / file.sha256; }
  std::filesystem::path part_of(const ContentFile& file) const {
    return folder_ / (file.sha256 + ".part");
  }
  bool is_whole(const ContentFile& file) const;
  Bytes disk_free() const;
  void remove_parts_but(const std::vector<ContentFile>& kept) const;

  std::filesystem::path folder_;
  ModelLimits limits_;
  // Of files whose content was checked: a minute later nobody reads a hundred megabytes again.
  mutable std::map<std::string, std::filesystem::file_time_type> verified_;
};

}  // namespace juggler
