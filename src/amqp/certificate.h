#pragma once
// A certificate of one's own for a broker that is opened to the network: made once, known by its
// fingerprint. No authority stands behind it.

#include <string>
#include <vector>

#include "core/result.h"

namespace juggler::amqp {

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

// Writes a self-signed certificate and its key, readable by their owner alone, unless both are
// there already: devices know the old one. Valid for 20 years: it is pinned, and ends when it is
// deleted.
//
// `names`: "DNS:broker.lan", "IP:192.168.1.5"
Result<void> make_certificate(const CertificateFiles& files, const std::vector<std::string>& names);

// SHA-256 of a certificate in a PEM file, in hexadecimal.
Result<std::string> fingerprint_of(const std::string& certificate_file);

// 64 hexadecimal digits in lower case, from what people paste: colons, capitals and a leading
// "sha256:" or "SHA256=" are taken. Empty where it is none.
std::string plain_fingerprint(std::string_view text);

}  // namespace juggler::amqp
