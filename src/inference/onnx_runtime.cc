#include "inference/onnx_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <spdlog/spdlog.h>

namespace juggler {
namespace {

// The oldest API whose calls the engine uses. JetPack 5 and 6 carry 14 and newer.
constexpr unsigned kApiMin = 11;

std::vector<std::string> candidates(const std::filesystem::path& home) {
  if (const char* named = std::getenv("ORT_LIBRARY"); named != nullptr && *named != '\0') {
    return {named};
  }
  std::vector<std::string> names;
  if (!home.empty()) {
    names.push_back((home / "onnxruntime/lib/libonnxruntime.so.1").string());
  }
  // Where the boards' recipes put it (docs/boards): a build for the board goes before Debian's.
  names.insert(names.end(), {"/opt/onnxruntime/lib/libonnxruntime.so.1", "libonnxruntime.so.1",
                             "libonnxruntime.so.1.21", "libonnxruntime.so"});
  return names;
}

// "1.30.0" has minor version 30, which is also the number of the newest API that it offers.
std::optional<unsigned> minor_version(std::string_view version) {
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) {
    return std::nullopt;
  }
  unsigned minor = 0;
  const char* first = version.data() + dot + 1;
  const auto [end, error] = std::from_chars(first, version.data() + version.size(), minor);
  return error == std::errc{} ? std::optional(minor) : std::nullopt;
}

// What dlopen loaded under a name without folders.
std::filesystem::path loaded_from(const void* symbol, const std::string& name) {
  Dl_info about{};
  return dladdr(symbol, &about) != 0 && about.dli_fname != nullptr ? about.dli_fname : name.c_str();
}

std::vector<std::string> providers() {
  try {
    return Ort::GetAvailableProviders();
  } catch (const std::exception& error) {
    spdlog::warn("ONNX Runtime does not say which providers it has: {}", error.what());
    return {};
  }
}

Result<OnnxRuntime> use(void* handle, const std::string& name) {
  void* symbol = dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) {
    return fail(ErrorCode::Unavailable, "it is not ONNX Runtime: no OrtGetApiBase");
  }
  const OrtApiBase* base = reinterpret_cast<const OrtApiBase* (*)()>(symbol)();
  const std::string version = base->GetVersionString();
  const std::optional<unsigned> minor = minor_version(version);
  // Asking for more than the library offers prints a line on stderr and returns null.
  const unsigned api = std::min<unsigned>(minor.value_or(0), ORT_API_VERSION);
  const OrtApi* functions = api >= kApiMin ? base->GetApi(api) : nullptr;
  if (functions == nullptr) {
    return fail(ErrorCode::Unavailable, "version " + version + " is too old: 1." +
                                            std::to_string(kApiMin) + " or newer is needed");
  }
  Ort::InitApi(functions);
  return OnnxRuntime{version, loaded_from(symbol, name), *minor, providers()};
}

Result<OnnxRuntime> load_first(const std::filesystem::path& home) {
  std::string tried;
  for (const std::string& name : candidates(home)) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* why = dlerror();
      tried += "\n  " + (why != nullptr ? std::string(why) : name);
      continue;
    }
    Result<OnnxRuntime> runtime = use(handle, name);
    if (runtime) {
      spdlog::debug("ONNX Runtime {} from {}", runtime->version, runtime->library.string());
      return runtime;
    }
    tried += "\n  " + name + ": " + runtime.error().message;
    dlclose(handle);
  }
  return fail(ErrorCode::Unavailable,
              "no ONNX Runtime library on this machine. Tried:" + tried +
                  "\nRun `make run` or `make test` in a checkout, which fetch it, or set "
                  "ORT_LIBRARY to the path of a libonnxruntime.so.");
}

}  // namespace

bool onnx_engine_available() { return true; }

Result<OnnxRuntime> load_onnx_runtime(const std::filesystem::path& home) {
  static std::mutex mutex;
  static std::optional<OnnxRuntime> loaded;
  const std::lock_guard lock(mutex);
  if (!loaded.has_value()) {
    Result<OnnxRuntime> runtime = load_first(home);
    if (!runtime) {
      return runtime;
    }
    loaded = *runtime;
  }
  return *loaded;
}

}  // namespace juggler
