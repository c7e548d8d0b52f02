#pragma once
// The model catalogue, `<home>/models/catalogue.toml` and beside it `own.toml`, of what people have
// added: every variant whose file is there, with its accuracy and source, its input and output, and
// its labels. It does not open the networks.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

// How a picture becomes a network's input: the shorter side is resized bilinearly to
// `resize_shorter_px`, the centre is cropped, and each channel becomes (p / 255 - mean) / std;
// RGB, NCHW, float32.
struct InputSpec {
  std::string name;
  int width = 0;
  int height = 0;
  int resize_shorter_px = 0;
  std::array<float, 3> mean{};
  std::array<float, 3> stddev{};

  std::size_t floats() const {
    return std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  }
};

enum class OutputKind {
  Logits,  // softmax turns them into probabilities
  Probabilities,
};

std::string_view to_string(OutputKind kind);
std::optional<OutputKind> parse_output_kind(std::string_view name);

struct OutputSpec {
  std::string name;
  OutputKind kind = OutputKind::Logits;
};

struct CatalogueVariant {
  Variant variant;
  std::filesystem::path file;
  Bytes size;
  std::string accuracy_source;
  std::filesystem::path labels;
  double macs_m = 0.0;  // millions of multiply-accumulates for one picture
  std::string licence;
  InputSpec input;
  OutputSpec output;
};

inline constexpr const char* kCatalogueFile = "catalogue.toml";  // what set-up has brought
inline constexpr const char* kOwnCatalogueFile = "own.toml";     // what people have added

class Catalogue {
 public:
  Catalogue() = default;
  // errors  NotFound where there is no catalogue; else file, line and reason.
  static Result<Catalogue> load(const std::filesystem::path& home);
  // One file of it, in that folder. errors  NotFound where it is not there
  static Result<Catalogue> load_file(const std::filesystem::path& folder, const std::string& name);
  // From text; files are looked for in `folder`.
  static Result<Catalogue> parse(std::string_view text, const std::filesystem::path& folder);

  // Sorted by id.
  const std::vector<CatalogueVariant>& variants() const { return variants_; }
  const CatalogueVariant* find(std::string_view id) const;

  // What `id` is as a twin's variant: the catalogue's own entry, or for a missing `<network>-fp16`
  // the fp32 entry run in half precision, as TensorRT does with an fp32 file, its accuracy marked
  // derived.
  //
  // source  fp16 keeps fp32's accuracy within 0.02 points: docs/profiles.md and the onnxsim
  //         Imagenette figures (ResNet-18 75.18 and 75.16, ResNet-50 80.99 and 80.97).
  std::optional<Variant> describe(std::string_view id) const;

 private:
  std::vector<CatalogueVariant> variants_;
};

// Checks a model file's size and SHA-256 against the catalogue. A file that was verified is not
// read again in this process while its size and modification time stay the same.
//
// thread  any
Result<void> verify_model_file(const CatalogueVariant& variant);

// One label per line.
Result<std::vector<std::string>> load_labels(const std::filesystem::path& path);

}  // namespace juggler
