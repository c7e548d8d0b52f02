#include "amqp/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "amqp/node_files.h"
#include "core/check.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace juggler::amqp {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Text = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr long kValidSeconds = 20L * 366 * 24 * 3600;
constexpr long kEarlierSeconds = 24L * 3600;  // a board's clock may be behind

std::string text_of(BIO* memory) {
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory, &begin);
  return {begin, static_cast<std::size_t>(size)};
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names) {
  std::array<unsigned char, 8> serial{};
  const int random = RAND_bytes(serial.data(), static_cast<int>(serial.size()));
  std::uint64_t number = 1;
  for (const unsigned char byte : serial) {
    number = (number << 8U) | byte;
  }
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* title = reinterpret_cast<const unsigned char*>("Juggler broker");
  return random == 1 && X509_set_version(certificate, 2) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1U) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -kEarlierSeconds) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), kValidSeconds) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, title, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 &&
         add_extension(certificate, NID_subject_alt_name,
                       fmt::format("{}", fmt::join(names, ","))) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<void> make_certificate(const CertificateFiles& files,
                              const std::vector<std::string>& names) {
  if (access(files.certificate.c_str(), R_OK) == 0 && access(files.key.c_str(), R_OK) == 0) {
    return {};
  }
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate certificate(X509_new(), X509_free);
  if (!key || !certificate || !fill(certificate.get(), key.get(), names)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("no certificate can be made for {}", fmt::join(names, ", ")));
  }
  const Text public_part(BIO_new(BIO_s_mem()), BIO_free);
  const Text private_part(BIO_new(BIO_s_mem()), BIO_free);
  JUGGLER_CHECK(PEM_write_bio_X509(public_part.get(), certificate.get()) == 1 &&
                    PEM_write_bio_PrivateKey(private_part.get(), key.get(), nullptr, nullptr, 0,
                                             nullptr, nullptr) == 1,
                "a certificate is written to memory");
  if (auto written = write_private_file(files.key, text_of(private_part.get()), 0600); !written) {
    return written;
  }
  return write_private_file(files.certificate, text_of(public_part.get()), 0644);
}

Result<std::string> fingerprint_of(const std::string& certificate_file) {
  const Text file(BIO_new_file(certificate_file.c_str(), "r"), BIO_free);
  const Certificate certificate(
      file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr, X509_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!certificate || X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1) {
    return fail(ErrorCode::Corrupt, fmt::format("no certificate in '{}'", certificate_file));
  }
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest[i]);
  }
  return text;
}

std::string plain_fingerprint(std::string_view text) {
  constexpr std::size_t kPrefix = 7;  // "sha256:", "SHA256="
  if (text.size() > kPrefix && (text[kPrefix - 1] == ':' || text[kPrefix - 1] == '=') &&
      (text.substr(3, 3) == "256")) {
    text.remove_prefix(kPrefix);
  }
  std::string plain;
  for (const char c : text) {
    if (c == ':') {
      continue;
    }
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f'))) {
      return "";
    }
    plain.push_back(lower);
  }
  return plain.size() == 64 ? plain : "";
}

}  // namespace juggler::amqp
