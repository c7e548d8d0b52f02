#include "telemetry/http_get.h"

#include <dlfcn.h>

#include <memory>

namespace juggler {
namespace {

constexpr long kWaitMaxMs = 2000;

// The few functions and numbers of libcurl that this needs, declared here: they are part of its
// binary interface (libcurl.so.4 since 2006), so that building needs no headers of it.
using Easy = void;
using Init = Easy* (*)();
using Cleanup = void (*)(Easy*);
using SetOption = int (*)(Easy*, int, ...);
using Perform = int (*)(Easy*);
using GetInfo = int (*)(Easy*, int, ...);
using GlobalInit = int (*)(long);
using Writer = std::size_t (*)(char*, std::size_t, std::size_t, void*);

constexpr int kUrl = 10'002;
constexpr int kWriteData = 10'001;
constexpr int kWriteFunction = 20'011;
constexpr int kNoSignal = 99;
constexpr int kTimeoutMs = 155;
constexpr int kConnectTimeoutMs = 156;
constexpr int kNoProxy = 10'177;
constexpr int kResponseCode = 0x20'0000 + 2;
constexpr long kGlobalDefault = 3;

struct Curl {
  Init init = nullptr;
  Cleanup cleanup = nullptr;
  SetOption set = nullptr;
  Perform perform = nullptr;
  GetInfo info = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

// Stays loaded for as long as the program runs.
Result<Curl> load_curl() {
  void* library = nullptr;
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
    library = library != nullptr ? library : dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  Curl curl;
  GlobalInit start = nullptr;
  if (library == nullptr || !find(library, "curl_global_init", start) ||
      !find(library, "curl_easy_init", curl.init) ||
      !find(library, "curl_easy_cleanup", curl.cleanup) ||
      !find(library, "curl_easy_setopt", curl.set) ||
      !find(library, "curl_easy_perform", curl.perform) ||
      !find(library, "curl_easy_getinfo", curl.info) || start(kGlobalDefault) != 0) {
    return fail(ErrorCode::Unsupported, "a plug needs libcurl: apt install libcurl4");
  }
  return curl;
}

struct Received {
  std::string body;
  std::size_t bytes_max = 0;
};

std::size_t receive(char* part, std::size_t size, std::size_t count, void* into) {
  auto* received = static_cast<Received*>(into);
  if (received->body.size() + size * count > received->bytes_max) {
    return 0;  // ends the transfer
  }
  received->body.append(part, size * count);
  return size * count;
}

}  // namespace

Result<HttpAnswer> http_get(const std::string& url, std::size_t bytes_max) {
  static const Result<Curl> kCurl = load_curl();
  if (!kCurl) {
    return kCurl.error();
  }
  const std::unique_ptr<Easy, Cleanup> easy(kCurl->init(), kCurl->cleanup);
  if (easy == nullptr) {
    return fail(ErrorCode::Internal, "libcurl has no memory");
  }
  Received received{{}, bytes_max};
  const Writer writer = receive;
  kCurl->set(easy.get(), kUrl, url.c_str());
  kCurl->set(easy.get(), kWriteFunction, writer);
  kCurl->set(easy.get(), kWriteData, &received);
  kCurl->set(easy.get(), kNoSignal, 1L);
  kCurl->set(easy.get(), kTimeoutMs, kWaitMaxMs);
  kCurl->set(easy.get(), kConnectTimeoutMs, kWaitMaxMs);
  kCurl->set(easy.get(), kNoProxy, "*");  // a plug is on this network
  if (kCurl->perform(easy.get()) != 0) {
    return fail(ErrorCode::Unavailable, url + " does not answer");
  }
  long status = 0;
  kCurl->info(easy.get(), kResponseCode, &status);
  return HttpAnswer{static_cast<int>(status), std::move(received.body)};
}

}  // namespace juggler
