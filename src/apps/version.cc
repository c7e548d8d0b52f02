#include "apps/version.h"

#include <fmt/format.h>

#include "inference/onnx_runtime.h"

namespace juggler {
namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string architecture() {
#if defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "another architecture";
#endif
}

}  // namespace

std::string version_short() { return JUGGLER_VERSION " (" JUGGLER_COMMIT ")"; }

std::string version_text(const std::string& program) {
  return fmt::format("{} {}\ncommit {}\nbuilt by {} for {}\nONNX Runtime engine: {}\n", program,
                     JUGGLER_VERSION, JUGGLER_COMMIT, compiler(), architecture(),
                     onnx_engine_available()
                         ? "built in; the library is loaded at run time (see juggler doctor)"
                         : "not built in (its headers were not found): twins and no-op only");
}

}  // namespace juggler
