#include "apps/privileges.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace juggler {

void forgo_new_privileges() { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

void run_unprivileged() {
  forgo_new_privileges();
  if (geteuid() == 0) {
    spdlog::info(
        "runs as root, which it needs nowhere: the package's service has a user of its own");
  }
}

bool asks_for_rights(std::string_view command) {
  constexpr std::array<std::string_view, 4> kAsking = {"sudo", "doas", "su", "pkexec"};
  std::string_view program = command.substr(0, command.find(' '));
  program.remove_prefix(program.rfind('/') + 1);  // 0 where there is none
  return std::find(kAsking.begin(), kAsking.end(), program) != kAsking.end();
}

}  // namespace juggler
