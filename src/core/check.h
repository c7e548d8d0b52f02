#pragma once
// JUGGLER_CHECK: on in every build. A broken invariant is a bug of this program: it aborts, the
// service manager restarts it, and the broker redelivers what was not acknowledged.

#include <cstdio>
#include <cstdlib>

#define JUGGLER_CHECK(condition, message)                                                   \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", __FILE__, __LINE__, #condition, \
                   message);                                                                \
      std::abort();                                                                         \
    }                                                                                       \
  } while (false)
