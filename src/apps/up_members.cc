#include "apps/up_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/device.h"
#include "files/board_profile.h"

namespace juggler {
namespace {

constexpr int kTwinsMax = 32;

// "raspberry-pi-5:2" gives raspberry-pi-5-1 and raspberry-pi-5-2.
Result<void> add_twins(const std::string& text, std::vector<FleetMember>& members) {
  const std::size_t colon = text.find(':');
  const std::string board = text.substr(0, colon);
  int count = 1;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, count);
    if (error != std::errc{} || at != end || count < 1 || count > kTwinsMax) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("--twin {}: the number of twins is 1 to {}", text, kTwinsMax));
    }
  }
  for (int i = 1; i <= count; ++i) {
    const std::string id = colon == std::string::npos ? board : fmt::format("{}-{}", board, i);
    const bool taken = std::any_of(members.begin(), members.end(),
                                   [&id](const FleetMember& member) { return member.id == id; });
    if (taken || !valid_device_id(id)) {
      return fail(ErrorCode::InvalidArgument,
                  taken ? fmt::format("--twin {0}: there is a device {0} already; write {0}:2 for "
                                      "two of them",
                                      board)
                        : fmt::format("--twin {}: no board has such a name", text));
    }
    members.push_back({id, board});
  }
  return {};
}

}  // namespace

Result<std::vector<FleetMember>> members_of(const UpOptions& options) {
  std::vector<FleetMember> members;
  if (options.local) {
    if (!valid_device_id(options.local_id)) {
      return fail(ErrorCode::InvalidArgument, "--id takes lower-case letters, digits, hyphens");
    }
    members.push_back({options.local_id, ""});
  }
  for (const std::string& twin : options.twins) {
    if (Result<void> added = add_twins(twin, members); !added) {
      return added.error();
    }
    const std::string& board = members.back().board;
    if (const auto profile = find_board_profile(board, options.home); !profile) {
      return profile.error();
    }
  }
  if (members.empty()) {
    return fail(ErrorCode::InvalidArgument, "--no-local without --twin leaves no device");
  }
  return members;
}

}  // namespace juggler
