#include "apps/idle_memory.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace juggler {
namespace {

// Long enough that a steady trickle of tasks does not pay for it again and again.
constexpr Micros kQuiet = seconds(5);

}  // namespace

void IdleMemory::turn(bool work, Time now) {
  if (work) {
    worked_ = true;
    last_work_ = now;
    return;
  }
  if (worked_ && now - last_work_ >= kQuiet) {
    worked_ = false;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
  }
}

}  // namespace juggler
