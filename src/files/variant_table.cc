#include "files/variant_table.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/device.h"
#include "files/data_folders.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

constexpr std::string_view kEvidenceNames = "measured, published, derived, estimated, assumed";

Variant read_variant(TomlSection& section) {
  Variant variant;
  variant.id = section.text("id");
  variant.model = section.text("model");
  variant.network = section.text("network");
  variant.precision = section.text("precision");
  const double percent = section.number("top1_percent", {0.0, 100.0});
  variant.accuracy = {std::llround(percent * 1000.0)};
  variant.accuracy_evidence = section.choice("top1_kind", parse_evidence, kEvidenceNames);
  section.text("top1_source");
  variant.weights = Weights::Pretrained;
  if (variant.id != variant.network + "-" + variant.precision) {
    section.refuse("id", "must be <network>-<precision>");
  }
  section.refuse_unknown();
  return variant;
}

Result<std::vector<Variant>> read_all(TomlDocument& document) {
  TomlSection root = document.root();
  root.integer("format", {1, 1});
  std::vector<Variant> variants;
  for (TomlSection& section : root.sections("variant", kVariantsMax)) {
    Variant variant = read_variant(section);
    const auto at = std::lower_bound(variants.begin(), variants.end(), variant.id,
                                     [](const Variant& v, const auto& id) { return v.id < id; });
    if (at != variants.end() && at->id == variant.id) {
      section.refuse("id", "'" + variant.id + "' is there twice");
    }
    variants.insert(at, std::move(variant));
  }
  root.refuse_unknown();
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  return variants;
}

}  // namespace

Result<VariantTable> VariantTable::load(const std::filesystem::path& file) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(file);
  if (!document) {
    return document.error();
  }
  Result<std::vector<Variant>> variants = read_all(**document);
  if (!variants) {
    return variants.error();
  }
  VariantTable table;
  table.variants_ = std::move(*variants);
  return table;
}

Result<VariantTable> VariantTable::parse(std::string_view text, const std::string& origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, origin);
  if (!document) {
    return document.error();
  }
  Result<std::vector<Variant>> variants = read_all(**document);
  if (!variants) {
    return variants.error();
  }
  VariantTable table;
  table.variants_ = std::move(*variants);
  return table;
}

Result<VariantTable> VariantTable::installed(const std::filesystem::path& home) {
  const Result<std::filesystem::path> file = find_profile_file(kVariantTable, home);
  if (!file) {
    return file.error();
  }
  return load(*file);
}

const Variant* VariantTable::find(std::string_view id) const {
  const auto at = std::lower_bound(variants_.begin(), variants_.end(), id,
                                   [](const Variant& v, std::string_view i) { return v.id < i; });
  return at != variants_.end() && at->id == id ? &*at : nullptr;
}

}  // namespace juggler
