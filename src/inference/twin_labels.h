#pragma once
// Labels for twins, which run no network: real answers, computed once per picture and variant on a
// machine that can, and kept in a file of JSON lines by the picture's SHA-256. No benchmark uses
// them.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/task.h"
#include "files/catalogue.h"
#include "runtime/engine.h"

namespace juggler {

class TwinLabels {
 public:
  struct Entry {
    std::string model_sha256;
    std::vector<Label> labels;
  };

  // A line: {"payload_sha256": …, "variant": …, "model_sha256": …,
  //          "labels": [{"index": 281, "name": "tabby", "score": 0.61}, …]}
  //
  // errors  a line that cannot be read, with its number; more than kEntriesMax lines
  static Result<TwinLabels> load(const std::filesystem::path& file);
  static Result<TwinLabels> parse(std::string_view text, const std::string& origin);
  // Replaces the file as a whole.
  Result<void> save(const std::filesystem::path& file) const;

  // Null where the picture or the variant is unknown.
  const Entry* find(const std::string& payload_sha256, const std::string& variant) const;
  void set(const std::string& payload_sha256, const std::string& variant, Entry entry);
  std::size_t size() const { return entries_.size(); }

  static constexpr std::size_t kEntriesMax = 200'000;

 private:
  std::map<std::pair<std::string, std::string>, Entry> entries_;  // by payload and variant
};

struct LabelJob {
  std::vector<std::filesystem::path> pictures;  // files, and folders with .jpg, .jpeg and .png
  std::vector<std::string> variants;            // ids of the catalogue
  std::filesystem::path file;                   // read first, if it is there, and completed
  int top_k = 20;
};

struct LabelProgress {
  std::size_t done = 0;  // of picture-variant pairs
  std::size_t total = 0;
  std::string variant;
  std::string picture;
};

struct LabelSummary {
  std::size_t computed = 0;
  std::size_t reused = 0;   // in the file already, from the same model file
  std::size_t skipped = 0;  // files that are no usable picture, each counted once
};

// Labels every picture with every variant by `engine` and writes the file after each variant.
Result<LabelSummary> label_pictures(const LabelJob& job, const Catalogue& catalogue,
                                    InferenceEngine& engine,
                                    const std::function<void(const LabelProgress&)>& progress);

}  // namespace juggler
