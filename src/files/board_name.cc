#include "files/board_name.h"

#include <array>
#include <utility>

namespace juggler {
namespace {

// Marketing names, as a device tree spells them, to names of profiles. The longer first.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kBoards{
    {{"Orin Nano", "jetson-orin-nano"},
     {"Orin NX", "jetson-orin-nx"},
     {"AGX Orin", "jetson-agx-orin"},
     {"Xavier NX", "jetson-xavier-nx"},
     {"AGX Xavier", "jetson-agx-xavier"},
     {"Jetson-AGX", "jetson-agx-xavier"},  // as JetPack 4 calls it
     {"Jetson Nano 2GB", "jetson-nano-2gb"},
     {"Jetson Nano", "jetson-nano"},
     {"Raspberry Pi 5", "raspberry-pi-5"},
     {"Raspberry Pi 4", "raspberry-pi-4"}}};

// A name fit for ids: lower case, digits and dashes.
std::string slug(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (plain) {
      name += lower;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  name = name.substr(0, 63);
  while (!name.empty() && name.back() == '-') {
    name.pop_back();
  }
  return name;
}

}  // namespace

std::string board_of_model(std::string_view model, std::string_view otherwise) {
  for (const auto& [marketing, board] : kBoards) {
    if (model.find(marketing) != std::string_view::npos) {
      return std::string(board);
    }
  }
  const std::string name = slug(model.empty() ? otherwise : model);
  return name.empty() ? "unknown" : name;
}

}  // namespace juggler
