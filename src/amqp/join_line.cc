#include "amqp/join_line.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace juggler::amqp {
namespace {

// A dot, so that no device can have such a name: its permissions are a token's.
constexpr std::string_view kTokenPrefix = "join.";

bool is_loopback(const std::string& host) {
  in_addr address{};  // a name may begin with 127. too
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && inet_pton(AF_INET, host.c_str(), &address) == 1);
}

}  // namespace

std::optional<std::int64_t> token_end(std::string_view user) {
  if (!user.starts_with(kTokenPrefix)) {
    return std::nullopt;
  }
  user.remove_prefix(kTokenPrefix.size());
  std::int64_t end = 0;
  const auto [stop, error] = std::from_chars(user.data(), user.data() + user.size(), end);
  const bool whole = error == std::errc{} && stop != user.data() + user.size() && *stop == '.';
  return whole ? std::optional(end) : std::nullopt;
}

Result<std::string> invite(const BrokerUsers& users, BrokerUrl address, std::int64_t ends_unix) {
  address.set_login(fmt::format("{}{}.{}", kTokenPrefix, ends_unix, random_text(6)),
                    new_password());
  const Result<void> put =
      users.put({{address.user, UserRole::Token, password_hash(address.password)}});
  return put ? Result<std::string>(address.text()) : put.error();
}

Result<BrokerUrl> read_join_line(std::string_view line) {
  const std::size_t begin = line.find("amqp");
  if (begin == std::string_view::npos) {
    return fail(ErrorCode::InvalidArgument,
                "that is no line to join by: it begins with amqps:// and is printed by `juggler up "
                "--lan` or `juggler devices invite`");
  }
  line = line.substr(begin);
  line = line.substr(0, line.find_first_of("'\" \t\r\n"));
  Result<BrokerUrl> address = BrokerUrl::parse(line);
  if (!address) {
    return address.error();
  }
  if (!token_end(address->user)) {
    return fail(ErrorCode::InvalidArgument,
                "that address has no one-time token in it: `juggler devices invite` prints a line "
                "that has");
  }
  const auto unchecked = [](const BrokerUrl& node) {
    return !(node.tls && node.verify_peer) && !is_loopback(node.host);
  };
  if (unchecked(*address) ||
      std::any_of(address->others.begin(), address->others.end(), unchecked)) {
    return fail(
        ErrorCode::InvalidArgument,
        "that line would send the new login where others can read it: it needs amqps:// and "
        "a fingerprint or an authority");
  }
  return address;
}

Result<BrokerUrl> joined_address(const BrokerUrl& line, std::string_view answered,
                                 std::string_view device) {
  const Result<BrokerUrl> address = BrokerUrl::parse(answered);
  if (!address || address->user != device || address->password.empty()) {
    return fail(ErrorCode::Corrupt, fmt::format("the answer holds no login of '{}'", device));
  }
  BrokerUrl kept = line;
  kept.set_login(address->user, address->password);
  return kept;
}

}  // namespace juggler::amqp
