#include "support/broker_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "core/check.h"

namespace juggler::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

void add_extension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  JUGGLER_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1,
                "a certificate's extension");
  X509_EXTENSION_free(extension);
}

File open_file(const std::string& path) {
  File file(std::fopen(path.c_str(), "w"), std::fclose);
  JUGGLER_CHECK(file != nullptr, "a certificate's file");
  return file;
}

}  // namespace

void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24L * 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("juggler test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  add_extension(certificate.get(), NID_subject_alt_name, "IP:127.0.0.1");
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  JUGGLER_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "a signature");
  JUGGLER_CHECK(PEM_write_X509(open_file(certificate_path).get(), certificate.get()) == 1,
                "a certificate is written");
  JUGGLER_CHECK(PEM_write_PrivateKey(open_file(key_path).get(), key.get(), nullptr, nullptr, 0,
                                     nullptr, nullptr) == 1,
                "a key is written");
}

}  // namespace juggler::test
