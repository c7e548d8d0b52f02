#include "apps/photo_sources.h"

#include <fmt/format.h>

#include "files/toml_library.h"

namespace juggler {

Result<std::map<std::string, PhotoSource>> load_photo_sources(const std::filesystem::path& folder) {
  std::map<std::string, PhotoSource> sources;
  const std::filesystem::path file = folder / "SOURCES.toml";
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) {
    return sources;
  }
  const toml::parse_result parsed = toml::parse_file(file.string());
  if (!parsed) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{}:{}: {}", file.string(), parsed.error().source().begin.line,
                            parsed.error().description()));
  }
  const toml::array* photos = parsed.table()["photo"].as_array();
  if (photos == nullptr) {
    return sources;
  }
  for (const toml::node& node : *photos) {
    const toml::table* photo = node.as_table();
    if (photo == nullptr) {
      continue;
    }
    PhotoSource source;
    source.shows = (*photo)["shows"].value_or(std::string());
    if (const toml::array* truth = (*photo)["truth"].as_array()) {
      for (const toml::node& label : *truth) {
        if (const auto* text = label.as_string()) {
          source.truth.push_back(text->get());
        }
      }
    }
    sources[(*photo)["file"].value_or(std::string())] = std::move(source);
  }
  return sources;
}

}  // namespace juggler
