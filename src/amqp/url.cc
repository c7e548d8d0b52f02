// amqp[s] addresses, read and shown. The form is RabbitMQ's URI specification.
#include <algorithm>
#include <charconv>
#include <optional>

#include "amqp/certificate.h"
#include "amqp/session.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr std::size_t kUrlMax = 4096;

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<unsigned>(c - 'a') + 10U;
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<unsigned>(c - 'A') + 10U;
  }
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(*high * 16U + *low));
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Error bad(std::string_view why) {
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("broker address: {}; expected amqp[s]://user:password@host:port/vhost", why));
}

// Cuts `text` at the first `mark`; the second part is empty where there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  return at == std::string_view::npos ? std::pair{text, std::string_view{}}
                                      : std::pair{text.substr(0, at), text.substr(at + 1)};
}

Result<void> read_query(std::string_view query, BrokerUrl& url) {
  while (!query.empty()) {
    const auto [pair, rest] = cut(query, '&');
    query = rest;
    const auto [name, raw] = cut(pair, '=');
    const auto value = percent_decode(raw);
    if (!value) {
      return bad(fmt::format("a broken %-escape in the value of '{}'", name));
    }
    if (name == "cacertfile") {
      url.cacertfile = *value;
    } else if (name == "certfile") {
      url.certfile = *value;
    } else if (name == "keyfile") {
      url.keyfile = *value;
    } else if (name == "server_name_indication") {
      url.server_name = *value;
    } else if (name == "fingerprint" && !plain_fingerprint(*value).empty()) {
      url.fingerprint = plain_fingerprint(*value);
    } else if (name == "auth_mechanism" && (*value == "external" || *value == "plain")) {
      url.external = *value == "external";
    } else if (name == "verify" && (*value == "verify_peer" || *value == "verify_none")) {
      url.verify_peer = *value == "verify_peer";
    } else {
      return bad(
          fmt::format("'{}' is not an option that is understood here (cacertfile, certfile, "
                      "keyfile, server_name_indication, verify=verify_peer|verify_none, "
                      "fingerprint=sha256:64 digits, auth_mechanism=plain|external)",
                      pair));
    }
  }
  if (!url.fingerprint.empty() && !url.verify_peer) {
    return bad(
        "fingerprint pins the broker's certificate and verify=verify_none takes any: leave out one "
        "of them");
  }
  if (url.certfile.empty() != url.keyfile.empty()) {
    return bad("certfile and keyfile belong together");
  }
  if (url.external && url.certfile.empty()) {
    return bad(
        "auth_mechanism=external logs in by a certificate: certfile and keyfile are missing");
  }
  return {};
}

Result<void> read_host(std::string_view text, BrokerUrl& url) {
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return bad("a '[' without its ']'");
    }
    url.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') {
      return bad("something between ']' and the port");
    }
    port = rest.empty() ? rest : rest.substr(1);
  } else {
    const auto [host, digits] = cut(text, ':');
    const auto decoded = percent_decode(host);
    if (!decoded) {
      return bad("a broken %-escape in the host");
    }
    url.host = *decoded;
    port = digits;
  }
  if (url.host.empty()) {
    return bad("no host");
  }
  const auto of_addresses = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.' || c == '%' || c == '-' || c == '_';
  };
  if (url.host.find(':') != std::string::npos &&
      !std::all_of(url.host.begin(), url.host.end(), of_addresses)) {
    return bad("the host is neither a name nor an IPv6 address");
  }
  if (url.host.find(',') != std::string::npos) {
    return bad("behind a comma another whole address is expected, which begins with amqp[s]://");
  }
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || end != port.data() + port.size() || url.port < 1 ||
        url.port > 65535) {
      return bad(fmt::format("'{}' is not a port", port));
    }
  }
  return {};
}

Result<void> read_login(std::string_view login, BrokerUrl& url) {
  const auto [user, password] = cut(login, ':');
  const auto name = percent_decode(user);
  const auto secret = percent_decode(password);
  if (!name || !secret) {
    return bad("a broken %-escape in the user or the password");
  }
  if (name->empty()) {
    return bad("an '@' without a user");
  }
  url.user = *name;
  url.password = *secret;
  return {};
}

// Cuts off the first of several addresses: at a comma behind which another one begins.
std::string_view take_address(std::string_view& text) {
  std::size_t end = text.find(',');
  const auto begins = [&text](std::size_t at) {
    const std::string_view rest = text.substr(at);
    return rest.starts_with("amqp://") || rest.starts_with("amqps://");
  };
  while (end != std::string_view::npos && !begins(end + 1)) {
    end = text.find(',', end + 1);
  }
  const std::string_view address = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return address;
}

// One address. What it leaves out is that of `first`, where there is one.
Result<BrokerUrl> parse_one(std::string_view text, const BrokerUrl* first) {
  if (text.size() > kUrlMax || text.find('\0') != std::string_view::npos) {
    return bad("too long, or a zero byte in it");
  }
  BrokerUrl url = first != nullptr ? *first : BrokerUrl{};
  url.others.clear();
  url.port = 5672;
  url.tls = false;
  constexpr std::string_view kPlain = "amqp://";
  constexpr std::string_view kTls = "amqps://";
  if (text.starts_with(kTls)) {
    url.tls = true;
    url.port = 5671;
    text.remove_prefix(kTls.size());
  } else if (text.starts_with(kPlain)) {
    text.remove_prefix(kPlain.size());
  } else {
    return bad("it begins with neither amqp:// nor amqps://");
  }
  const auto [address, query] = cut(text, '?');
  const auto [authority, vhost] = cut(address, '/');
  std::string_view host = authority;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (auto read = read_login(authority.substr(0, at), url); !read) {
      return read.error();
    }
    host = authority.substr(at + 1);
  }
  if (auto read = read_host(host, url); !read) {
    return read.error();
  }
  if (!vhost.empty()) {
    const auto name = percent_decode(vhost);
    if (!name || vhost.find('/') != std::string_view::npos) {
      return bad("the vhost is not one %-escaped word");
    }
    url.vhost = *name;
  }
  if (!query.empty() && !url.tls) {
    return bad("options such as cacertfile belong to amqps://");
  }
  if (auto read = read_query(query, url); !read) {
    return read.error();
  }
  if (url.external && first == nullptr && authority.find('@') == std::string_view::npos) {
    return bad("auth_mechanism=external needs the user too: the CN of the certificate");
  }
  if (url.user.size() + url.password.size() > 1024 || url.vhost.size() > 255) {
    return bad("the user, password or vhost is too long");
  }
  return url;
}

// One address, with what it has other than `first`: of a later one what is left out is the first's.
std::string text_of(const BrokerUrl& url, const BrokerUrl& first) {
  const bool v6 = url.host.find(':') != std::string::npos;
  std::string address = fmt::format(
      "{}://{}:{}@{}{}{}:{}/{}", url.tls ? "amqps" : "amqp", percent_encode(url.user),
      percent_encode(url.password), v6 ? "[" : "", v6 ? url.host : percent_encode(url.host),
      v6 ? "]" : "", url.port, url.vhost == "/" ? "%2f" : percent_encode(url.vhost));
  if (!url.tls) {
    return address;
  }
  char mark = '?';
  const auto option = [&](std::string_view name, std::string_view value) {
    address += fmt::format("{}{}={}", mark, name, percent_encode(value));
    mark = '&';
  };
  if (url.cacertfile != first.cacertfile) {
    option("cacertfile", url.cacertfile);
  }
  if (url.certfile != first.certfile) {
    option("certfile", url.certfile);
  }
  if (url.keyfile != first.keyfile) {
    option("keyfile", url.keyfile);
  }
  if (url.server_name != first.server_name) {
    option("server_name_indication", url.server_name);
  }
  if (url.verify_peer != first.verify_peer) {
    option("verify", url.verify_peer ? "verify_peer" : "verify_none");
  }
  if (!url.fingerprint.empty() && url.fingerprint != first.fingerprint) {
    option("fingerprint", "sha256:" + url.fingerprint);
  }
  if (url.external != first.external) {
    option("auth_mechanism", url.external ? "external" : "plain");
  }
  return address;
}

bool one_holds_password(std::string_view address) {
  const std::size_t scheme = address.find("://");
  const std::string_view rest =
      scheme == std::string_view::npos ? address : address.substr(scheme + 3);
  const std::size_t at = rest.rfind('@');  // of malformed ones too: they are refused later
  return at != std::string_view::npos && rest.substr(0, at).find(':') != std::string_view::npos;
}

}  // namespace

Result<BrokerUrl> BrokerUrl::parse(std::string_view text) {
  auto first = parse_one(take_address(text), nullptr);
  while (first && !text.empty()) {
    auto other = parse_one(take_address(text), &*first);
    if (!other) {
      return other;
    }
    if (other->user != first->user || other->vhost != first->vhost || other->tls != first->tls) {
      return bad(
          "several addresses are the nodes of one cluster: one user, one vhost, all with TLS or "
          "none");
    }
    if (first->others.size() + 1 >= kNodesMax) {
      return bad(fmt::format("more than {} of them", kNodesMax));
    }
    first->others.push_back(std::move(*other));
  }
  return first;
}

bool holds_password(std::string_view address) {
  while (!address.empty()) {
    if (one_holds_password(take_address(address))) {
      return true;
    }
  }
  return false;
}

void BrokerUrl::set_login(const std::string& name, const std::string& secret) {
  user = name;
  password = secret;
  for (BrokerUrl& other : others) {
    other.set_login(name, secret);
  }
}

std::string BrokerUrl::text() const {
  std::string text = text_of(*this, BrokerUrl{});
  for (const BrokerUrl& other : others) {
    text += "," + text_of(other, *this);
  }
  return text;
}

std::string BrokerUrl::redacted() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}@{}{}{}:{}/{}{}", tls ? "amqps" : "amqp", user, v6 ? "[" : "", host,
                     v6 ? "]" : "", port, vhost == "/" ? "" : vhost,
                     others.empty() ? "" : fmt::format(" and {} more", others.size()));
}

}  // namespace juggler::amqp
