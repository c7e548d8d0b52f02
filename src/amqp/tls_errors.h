#pragma once
// Why TLS did not come about, in words that say what to do.

#include <openssl/ssl.h>

#include <string>
#include <string_view>

#include "amqp/session.h"
#include "core/result.h"

namespace juggler::amqp {

// What OpenSSL has noted on this thread since the last call.
Error tls_error(std::string_view what);

// The handshake failed; `certificate` is the broker's, null where it has shown none.
Error handshake_error(SSL* session, const X509* certificate, const BrokerUrl& url);

// In hexadecimal; empty where there is no certificate.
std::string digest_of(const X509* certificate);

}  // namespace juggler::amqp
