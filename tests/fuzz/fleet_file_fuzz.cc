// Fuzzes the reader of fleet files, and of what a device is told to hold. Whatever they accept
// holds what they promise.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include <spdlog/spdlog.h>

#include "core/check.h"
#include "core/device.h"
#include "files/catalogue.h"
#include "files/catalogue_text.h"
#include "files/fleet_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (spdlog::set_level(spdlog::level::off), true);
  static_cast<void>(quiet);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto file = juggler::parse_fleet_file(text, "fleet.toml")) {
    juggler::FleetRecord record;
    for (const juggler::FleetFile::Device& device : file->devices) {
      JUGGLER_CHECK(juggler::valid_device_id(device.note.device), "a device without a name");
      record.devices.push_back(device.note);
    }
    record.wants = file->wants;
    record.tidy();
    JUGGLER_CHECK(juggler::validate(record).has_value(), "a file that makes no valid record");
  }
  if (const auto catalogue = juggler::Catalogue::parse(text, "/models")) {
    const auto again =
        juggler::Catalogue::parse(juggler::catalogue_text(catalogue->variants(), "x"), "/models");
    JUGGLER_CHECK(again.has_value(), "a catalogue that cannot be read again");
    JUGGLER_CHECK(again->variants().size() == catalogue->variants().size(), "another one");
  }
  return 0;
}
