#include "files/catalogue_text.h"

#include <fmt/format.h>

#include "files/toml_reader.h"

namespace juggler {
namespace {

// With a point or an exponent: TOML tells integers from fractions by it.
std::string fraction(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string fraction(float value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string three(const std::array<float, 3>& values) {
  return fmt::format("[{}, {}, {}]", fraction(values[0]), fraction(values[1]), fraction(values[2]));
}

std::string entry_text(const CatalogueVariant& entry) {
  const Variant& variant = entry.variant;
  std::string text = "\n[[variant]]\n";
  const auto line = [&text](std::string_view key, const std::string& value) {
    text += fmt::format("{} = {}\n", key, value);
  };
  line("id", toml_quoted(variant.id));
  line("model", toml_quoted(variant.model));
  line("network", toml_quoted(variant.network));
  line("precision", toml_quoted(variant.precision));
  line("file", toml_quoted(entry.file.filename().string()));
  line("sha256", toml_quoted(variant.sha256));
  line("size_bytes", fmt::format("{}", entry.size.count));
  line("weights", toml_quoted(to_string(variant.weights)));
  line("top1_percent", fraction(static_cast<double>(variant.accuracy.count) / 1000.0));
  line("top1_kind", toml_quoted(to_string(variant.accuracy_evidence)));
  line("top1_source", toml_quoted(entry.accuracy_source));
  line("labels", toml_quoted(entry.labels.filename().string()));
  line("macs_m", fraction(entry.macs_m));
  line("licence", toml_quoted(entry.licence));
  text += "[variant.input]\n";
  line("name", toml_quoted(entry.input.name));
  line("width", fmt::format("{}", entry.input.width));
  line("height", fmt::format("{}", entry.input.height));
  line("resize_shorter_px", fmt::format("{}", entry.input.resize_shorter_px));
  line("mean", three(entry.input.mean));
  line("std", three(entry.input.stddev));
  text += "[variant.output]\n";
  line("name", toml_quoted(entry.output.name));
  line("kind", toml_quoted(to_string(entry.output.kind)));
  return text;
}

}  // namespace

std::string catalogue_text(std::span<const CatalogueVariant> variants, std::string_view generated) {
  std::string text = fmt::format("format = 1\ngenerated = {}\n", toml_quoted(generated));
  for (const CatalogueVariant& entry : variants) {
    text += entry_text(entry);
  }
  return text;
}

}  // namespace juggler
