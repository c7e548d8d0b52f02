#pragma once
// A certificate for tests with TLS.

#include <string>

namespace juggler::test {

// Writes a self-signed certificate for 127.0.0.1 and its key, as PEM files.
void write_certificate(const std::string& certificate_path, const std::string& key_path);

}  // namespace juggler::test
