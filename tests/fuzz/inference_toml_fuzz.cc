// Fuzzes the readers of files that people and programs write: model catalogues, board profiles and
// twins' labels. Whatever they accept must hold what they promise.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <spdlog/spdlog.h>

#include "core/check.h"
#include "core/profile_point.h"
#include "files/board_profile.h"
#include "files/catalogue.h"
#include "inference/twin_engine.h"
#include "inference/twin_labels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (spdlog::set_level(spdlog::level::off), true);
  static_cast<void>(quiet);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto catalogue = juggler::Catalogue::parse(text, "/models")) {
    for (const juggler::CatalogueVariant& entry : catalogue->variants()) {
      JUGGLER_CHECK(catalogue->find(entry.variant.id) == &entry, "an entry that is not found");
      JUGGLER_CHECK(entry.input.floats() > 0, "an empty input");
    }
  }
  if (const auto board = juggler::parse_board_profile(text, "board.toml")) {
    for (const juggler::Processor& processor : board->processors) {
      for (const juggler::Profile& profile : processor.profiles) {
        for (const int batch : {1, 3, 1024}) {
          JUGGLER_CHECK(juggler::point_at(profile, batch).latency_mean > juggler::Micros{0},
                        "a batch that takes no time");
        }
      }
    }
  }
  static_cast<void>(juggler::TwinLabels::parse(text, "labels.jsonl"));
  return 0;
}
