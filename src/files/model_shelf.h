#pragma once
// The models of a home as the keeper hands them out: by content. Reads the catalogue anew where its
// files have changed, so that what a person adds is there at once.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"
#include "files/model_folder.h"

namespace juggler {

// What a device is to hold: a catalogue whose files are named by their content.
struct ShelfOffer {
  std::string catalogue;
  std::vector<ContentFile> labels;
};

class ModelShelf {
 public:
  explicit ModelShelf(std::filesystem::path home) : folder_(std::move(home) / "models") {}

  // Looks whether anything has changed. Returns whether something has.
  //
  // errors  the catalogue cannot be read; what was read before stays
  Result<bool> refresh();

  const Catalogue& catalogue() const { return catalogue_; }
  const std::vector<Variant>& variants() const { return variants_; }

  // requires  the ids are of the catalogue
  ShelfOffer offer(const std::vector<std::string>& ids) const;

  // At most `bytes_max` bytes of a file from `offset` on; none at its end.
  //
  // errors  NotFound: the shelf has no such file; Unavailable: it cannot be read
  Result<std::string> read(const std::string& sha256, Bytes offset, std::size_t bytes_max) const;

 private:
  struct Stamp {
    std::uintmax_t size = 0;
    std::filesystem::file_time_type modified;

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  std::map<std::string, Stamp> stamps() const;

  std::filesystem::path folder_;
  Catalogue catalogue_;
  std::vector<Variant> variants_;
  std::map<std::string, Stamp> seen_;                   // of the catalogue's files
  std::map<std::string, std::filesystem::path> files_;  // by SHA-256
  std::map<std::string, ContentFile> labels_;           // by file name
};

}  // namespace juggler
