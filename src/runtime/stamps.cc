#include "runtime/stamps.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>

#include "core/check.h"

namespace juggler {
namespace {

constexpr std::string_view kLabel = "juggler dispatch stamp v1";
constexpr int kRounds = 100'000;
constexpr std::size_t kStampBytes = 8;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Each text with its length, so that no two attempts say the same.
std::string said(const AttemptId& attempt, const std::string& device) {
  const auto& [submitter, id] = attempt.task;
  return fmt::format("{}:{}{}:{}{}:{}{}.{}", submitter.size(), submitter, id.size(), id,
                     device.size(), device, attempt.epoch, attempt.number);
}

std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> begun_with(const std::string& key) {
  std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context(nullptr, EVP_MAC_CTX_free);
  if (key.empty()) {
    return context;
  }
  const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                          EVP_MAC_free);
  context.reset(EVP_MAC_CTX_new(hmac.get()));
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> options{
      OSSL_PARAM_construct_utf8_string("digest", digest.data(), digest.size()),
      OSSL_PARAM_construct_end()};
  JUGGLER_CHECK(EVP_MAC_init(context.get(), bytes_of(key), key.size(), options.data()) == 1,
                "HMAC-SHA256 with a key");
  return context;
}

}  // namespace

Stamps::Stamps(const std::string& key) : mac_(begun_with(key)) {}

std::string Stamps::of(const AttemptId& attempt, const std::string& device) const {
  if (mac_ == nullptr) {
    return {};
  }
  const std::string text = said(attempt, device);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  std::size_t size = 0;
  JUGGLER_CHECK(EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(mac_.get(), bytes_of(text), text.size()) == 1 &&
                    EVP_MAC_final(mac_.get(), mac.data(), &size, mac.size()) == 1 &&
                    size >= kStampBytes,
                "HMAC-SHA256");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string stamp;
  for (std::size_t i = 0; i < kStampBytes; ++i) {
    stamp += kDigits[mac.at(i) >> 4U];
    stamp += kDigits[mac.at(i) & 15U];
  }
  return stamp;
}

bool Stamps::right(const std::string& stamp, const AttemptId& attempt,
                   const std::string& device) const {
  if (stamp.size() != kStampBytes * 2) {
    return false;  // most often: there is none
  }
  const std::string wanted = of(attempt, device);
  return wanted.size() == stamp.size() &&
         CRYPTO_memcmp(wanted.data(), stamp.data(), stamp.size()) == 0;
}

std::string stamp_key_of(std::string_view secret) {
  if (secret.empty()) {
    return {};
  }
  std::string key(32, '\0');
  JUGGLER_CHECK(PKCS5_PBKDF2_HMAC(secret.data(), static_cast<int>(secret.size()), bytes_of(kLabel),
                                  static_cast<int>(kLabel.size()), kRounds, EVP_sha256(),
                                  static_cast<int>(key.size()),
                                  reinterpret_cast<unsigned char*>(key.data())) == 1,
                "PBKDF2");
  return key;
}

}  // namespace juggler
