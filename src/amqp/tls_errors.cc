#include "amqp/tls_errors.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

#include "fmt/format.h"

namespace juggler::amqp {
namespace {

std::string time_text(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  if (ASN1_TIME_print(memory.get(), time) != 1) {
    return "?";
  }
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &begin);
  return {begin, static_cast<std::size_t>(size)};
}

std::string name_text(const GENERAL_NAME* name) {
  if (name->type == GEN_DNS) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
            static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))};
  }
  if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4) {
    const unsigned char* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
    return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
  }
  return "";
}

// For whom it was made: of a stranger's text, no more than a line's worth, and plain.
std::string names_of(const X509* certificate) {
  std::string text;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && text.size() < 200; ++i) {
    const std::string name = name_text(sk_GENERAL_NAME_value(names, i));
    if (!name.empty()) {
      text += (text.empty() ? "" : ", ") + name;
    }
  }
  GENERAL_NAMES_free(names);
  for (char& c : text) {
    c = c < ' ' || c > '~' ? '?' : c;
  }
  return text.empty() ? "no name at all" : text;
}

Error refused(const std::string& why) {
  return fail(ErrorCode::Unavailable, "TLS: the broker's certificate is refused: " + why);
}

Error verification_error(long code, const X509* certificate, const BrokerUrl& url) {
  const std::string& name = url.server_name.empty() ? url.host : url.server_name;
  switch (code) {
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return refused(fmt::format(
          "its fingerprint is sha256:{}, expected sha256:{}. Another broker answers there, the "
          "broker was set up anew, or somebody stands in between",
          digest_of(certificate), url.fingerprint));
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return refused(
          fmt::format("it ended on {}: renew it on the broker, or set this machine's "
                      "clock right",
                      time_text(X509_get0_notAfter(certificate))));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return refused(fmt::format("it begins on {}: is this machine's clock right?",
                                 time_text(X509_get0_notBefore(certificate))));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return refused(
          fmt::format("it is for {}, not for '{}': use a name that it has, or say it by "
                      "?server_name_indication=",
                      names_of(certificate), name));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return refused(
          fmt::format("no authority that is trusted here has signed it. Name its authority by "
                      "?cacertfile=FILE, "
                      "or, once you have compared it on the broker's machine, its fingerprint by "
                      "?fingerprint=sha256:{}",
                      digest_of(certificate)));
    default:
      return refused(X509_verify_cert_error_string(code));
  }
}

// What the other side's last words mean, where that helps.
std::string advice_for(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
      return ". There is no TLS on this port: RabbitMQ's is 5671 as a rule, and 5672 the plain one "
             "(amqp://)";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return ". The broker wants a client's certificate: ?certfile=FILE&keyfile=FILE";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return ". The broker does not trust this client's certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return ". This client's certificate has expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return ". This client's certificate was revoked";
    default:
      return "";
  }
}

}  // namespace

std::string digest_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  std::string text;
  if (certificate != nullptr && X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1) {
    for (unsigned i = 0; i < size; ++i) {
      text += fmt::format("{:02x}", digest[i]);
    }
  }
  return text;
}

Error tls_error(std::string_view what) {
  std::string why;
  std::string advice;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    why += why.empty() ? "" : "; ";
    why += reason != nullptr ? reason : "unknown";
    if (advice.empty()) {
      advice = advice_for(ERR_GET_REASON(code));
    }
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("TLS: {}{}{}{}", what, why.empty() ? "" : ": ", why, advice));
}

Error handshake_error(SSL* session, const X509* certificate, const BrokerUrl& url) {
  const long verified = SSL_get_verify_result(session);
  return verified != X509_V_OK && certificate != nullptr
             ? verification_error(verified, certificate, url)
             : tls_error("the handshake failed");
}

}  // namespace juggler::amqp
