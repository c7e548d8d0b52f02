#include "http/tokens.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "files/sha256.h"
#include "http/message.h"

namespace juggler::http {
namespace {

// In a time that says nothing of where they differ.
bool equal(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

bool valid_token_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= kTokenNameMax && name != kLocal &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string token_line(std::string_view name, std::string_view token) {
  return fmt::format("{}:{}", name, sha256_hex(token));
}

Result<TokenTable> TokenTable::parse(std::string_view text) {
  if (text.size() > kTokenFileMax) {
    return fail(ErrorCode::TooLarge, fmt::format("more than {} bytes", kTokenFileMax));
  }
  TokenTable table;
  int number = 0;
  while (!text.empty()) {
    number += 1;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = line.substr(0, colon);
    const std::string_view digest = line.substr(std::min(colon + 1, line.size()));
    if (!valid_token_name(name) || !is_sha256(digest)) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("line {} is not NAME:SHA-256 in 64 lower-case hexadecimal digits "
                              "(`juggler token new NAME` prints one)",
                              number));
    }
    if (table.entries_.size() == kTokensMax) {
      return fail(ErrorCode::TooLarge, fmt::format("more than {} tokens", kTokensMax));
    }
    table.entries_.push_back({std::string(name), std::string(digest)});
  }
  return table;
}

std::optional<std::string> TokenTable::owner(std::string_view token) const {
  const std::string digest = sha256_hex(token.substr(0, kTokenBytesMax + 1));
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {  // all of them, whichever it is
    found = equal(entry.digest, digest) ? &entry : found;
  }
  return found != nullptr && token.size() <= kTokenBytesMax ? std::optional(found->name)
                                                            : std::nullopt;
}

}  // namespace juggler::http
